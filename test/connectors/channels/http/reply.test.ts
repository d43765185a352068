import { Redaction } from '../../../../connectors/channels/http/redaction';
import { Reply } from '../../../../connectors/channels/http/reply';

const reply = (body: string) =>
  new Reply({ kind: 'answered', status: 200, headers: [], body: Buffer.from(body) }, new Redaction([]));

test('a body is parsed once, however often it is asked for', () => {
  const answered = reply('{"id":"1"}');
  expect(answered.json()).toEqual({ id: '1' });
  expect(answered.json()).toBe(answered.json());
  const broken = reply('{"id"');
  const parse = jest.spyOn(JSON, 'parse');
  expect([broken.json(), broken.json()]).toEqual([undefined, undefined]);
  expect(parse).toHaveBeenCalledTimes(1);
  parse.mockRestore();
});

test('of several headers of one name the one that asks for the longest wait counts', () => {
  const headers = ['Retry-After', '5', 'x-other', '900', 'retry-after', '"30"', 'retry-after', 'soon'];
  const answered = new Reply(
    { kind: 'answered', status: 429, headers: headers.map((one) => Buffer.from(one)), body: Buffer.alloc(0) },
    new Redaction([]),
  );
  expect(answered.waitMs('retry-after', 0)).toBe(30_000);
  expect(answered.waitMs('x-rate-limit-reset', 0)).toBeUndefined();
  expect(answered.header('retry-after')).toBe('5');
});
