import { readJson, readPayload } from '../../../../connectors/channels/provider/read-payload';
import { BadRecord } from '../../../../topology/core/errors';

const many = (count: number, one: (n: number) => string) => Array.from({ length: count }, (_, n) => one(n)).join(', ');

let reads: jest.SpiedFunction<typeof JSON.parse>;
beforeEach(() => {
  reads = jest.spyOn(JSON, 'parse');
});
afterEach(() => reads.mockRestore());

test.each([
  ['arrays', `{"text": [${many(340_000, () => '[]')}]}`],
  ['names', `{${many(100_000, (n) => `"k${n}": 1`)}}`],
  ['members', `{"text": [${many(340_000, () => '""')}]}`],
])('a payload of very many %s, which plain SQL may bring, is refused without being read', (_, text) => {
  for (const read of [readJson, (json: string) => readPayload('slack', json)]) {
    expect(() => read(text)).toThrow(
      new BadRecord('payload: expected at most 10000 arrays, objects and members of these'),
    );
  }
  expect(reads).not.toHaveBeenCalled();
});

test('one long text is no matter of values', () => {
  expect(readJson(`{"text": "${'[{,'.repeat(300_000)}"}`)).toHaveProperty('text');
});
