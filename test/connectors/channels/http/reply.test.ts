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
