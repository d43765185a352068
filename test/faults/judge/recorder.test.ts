import { type Client, Unavailable, UserError } from '../../../connectors/mysql/client/client';
import { requestsOf, webhookContent } from './content';
import { RecordingClient } from './recorder';

const payload = { url: 'http://127.0.0.1:9/n?x=1', body: { b: 1, a: [2, { d: 3, c: 4 }] } };
const content = 'POST /n?x=1 {"a":[2,{"c":4,"d":3}],"b":1}';
const message = { account: 'a', channel: 'webhook' as const, dueAt: 1_000, payload };

/** A client that takes 10 ms for each call and gives this answer. */
function recording(answer: () => Promise<unknown>) {
  let now = 0;
  const call = async () => {
    now += 10;
    return answer();
  };
  const client = { schedule: call, edit: call, cancel: call } as unknown as Client;
  return new RecordingClient(client, { now: () => now });
}

test('an answered operation is recorded as ok or fail, with the times of the call and of the answer', async () => {
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

test('a refused edit or cancel is recorded as fail: it has no effect', async () => {
  const clients = recording(async () => [{ result: 'too_late' }]);
  await clients.edit([{ id: 7, payload }]);
  await clients.cancel([{ id: 7 }]);
  expect(clients.history).toEqual([
    { kind: 'edit', id: 7, content, invokedAt: 0, endedAt: 10, result: 'fail' },
    { kind: 'cancel', id: 7, invokedAt: 10, endedAt: 20, result: 'fail' },
  ]);
});

test('an operation without an answer stays unknown for ever, and one that ends in a UserError is recorded as fail', async () => {
  const lost = recording(() => Promise.reject(new Unavailable('gone')));
  await expect(lost.cancel([{ id: 7 }])).rejects.toThrow('gone');
  expect(lost.history).toEqual([
    { kind: 'cancel', id: 7, invokedAt: 0, endedAt: Number.POSITIVE_INFINITY, result: 'unknown' },
  ]);
  const wrong = recording(() => Promise.reject(new UserError('id')));
  await expect(wrong.cancel([{ id: 7 }])).rejects.toThrow('id');
  expect(wrong.history).toEqual([{ kind: 'cancel', id: 7, invokedAt: 0, endedAt: 10, result: 'fail' }]);
});

test('an operation by dedupe key gets its id from the table in the end', async () => {
  const clients = recording(async () => [{ result: 'canceled' }]);
  await clients.cancel([{ account: 'a', dedupeKey: 'k' }]);
  expect(clients.history).toEqual([
    { kind: 'cancel', id: undefined, key: 'k', invokedAt: 0, endedAt: 10, result: 'ok' },
  ]);
  expect(clients.historyWith((key) => (key === 'k' ? 7 : undefined))).toMatchObject([{ kind: 'cancel', id: 7 }]);
  expect(clients.historyWith(() => undefined)).toMatchObject([{ kind: 'cancel', id: undefined }]);
});

test('the content of a payload and of its request are equal although MySQL orders the keys in its own way', () => {
  const seen = { key: 'k', at: 1, method: 'POST', path: '/n?x=1', accepted: true };
  const [request] = requestsOf([{ ...seen, body: '{"a":[2,{"d":3,"c":4}],"b":1}' }]);
  expect(request).toEqual({ key: 'k', at: 1, accepted: true, content });
  expect(webhookContent({ ...payload, method: 'PUT', body: 'text {' })).toBe('PUT /n?x=1 text {');
});
