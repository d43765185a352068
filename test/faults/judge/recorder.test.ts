import { type Client, Unavailable, UserError } from '../../../connectors/mysql/client/client';
import { requestsOf, webhookContent } from './content';
import { RecordingClient } from './recorder';

const payload = { url: 'http://127.0.0.1:9/n?x=1', body: { b: 1, a: [2, { d: 3, c: 4 }] } };
const content = 'POST /n?x=1 {"a":[2,{"c":4,"d":3}],"b":1}';
const message = { account: 'a', channel: 'webhook' as const, dueAt: 1_000, payload };

/** A client that takes 10 ms for each call and answers as it is told. */
function recording(answer: () => Promise<unknown>) {
  let now = 0;
  const call = async () => {
    now += 10;
    return answer();
  };
  const client = { schedule: call, edit: call, cancel: call } as unknown as Client;
  return new RecordingClient(client, { now: () => now });
}

test('what was answered is ok or failed, between the two times', async () => {
  const clients = recording(async () => [
    { result: 'scheduled', id: 7, created: true },
    { result: 'conflict', id: 8 },
  ]);
  await clients.schedule([message, message]);
  const asked = { kind: 'schedule', content, dueAt: 1_000, invokedAt: 0, endedAt: 10 };
  expect(clients.history).toEqual([
    { ...asked, id: 7, result: 'ok' },
    { ...asked, id: 8, result: 'fail' },
  ]);
});

test('refusals have no effect', async () => {
  const clients = recording(async () => [{ result: 'too_late' }]);
  await clients.edit([{ id: 7, payload }]);
  await clients.cancel([7]);
  expect(clients.history).toEqual([
    { kind: 'edit', id: 7, content, invokedAt: 0, endedAt: 10, result: 'fail' },
    { kind: 'cancel', id: 7, invokedAt: 10, endedAt: 20, result: 'fail' },
  ]);
});

test('without an answer it is unknown, for ever; a UserError is certain', async () => {
  const lost = recording(() => Promise.reject(new Unavailable('gone')));
  await expect(lost.cancel([7])).rejects.toThrow('gone');
  expect(lost.history).toEqual([
    { kind: 'cancel', id: 7, invokedAt: 0, endedAt: Number.POSITIVE_INFINITY, result: 'unknown' },
  ]);
  const wrong = recording(() => Promise.reject(new UserError('id')));
  await expect(wrong.cancel([7])).rejects.toThrow('id');
  expect(wrong.history).toEqual([{ kind: 'cancel', id: 7, invokedAt: 0, endedAt: 10, result: 'fail' }]);
});

test('the receiver sees the content that the client asked for, however MySQL has turned it', () => {
  const seen = { key: 'k', at: 1, method: 'POST', path: '/n?x=1', accepted: true };
  const [request] = requestsOf([{ ...seen, body: '{"a":[2,{"d":3,"c":4}],"b":1}' }]);
  expect(request).toEqual({ key: 'k', at: 1, accepted: true, content });
  expect(webhookContent({ ...payload, method: 'PUT', body: 'text {' })).toBe('PUT /n?x=1 text {');
});
