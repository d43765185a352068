import { type Answer, outcomeOf } from '../../../../connectors/channels/webhook/webhook-outcome';

const now = Date.UTC(2026, 0, 1);
const outcome = (status: number, more: Partial<Answer> = {}) =>
  outcomeOf({ status, retryAfter: undefined, location: undefined, receipt: undefined, excerpt: '', ...more }, now);

test.each([
  [200, 'delivered'],
  [299, 'delivered'],
  [301, 'rejected'],
  [302, 'unknown'],
  [303, 'unknown'],
  [304, 'rejected'],
  [307, 'rejected'],
  [308, 'rejected'],
  [400, 'rejected'],
  [408, 'retry'],
  [409, 'unknown'],
  [410, 'rejected'],
  [425, 'retry'],
  [429, 'retry'],
  [500, 'unknown'],
  [502, 'unknown'],
  [503, 'unknown'],
  [504, 'unknown'],
  // No status of HTTP: an error of the server's.
  [999, 'unknown'],
])('%i is %s', (status, kind) => {
  expect(outcome(status)).toMatchObject({ kind, status });
});

test.each([
  [429, 'retry'],
  [503, 'retry'],
  [500, 'unknown'],
  [409, 'unknown'],
])('Retry-After of a %i is how long to wait, and the outcome %s', (status, kind) => {
  expect(outcome(status, { retryAfter: '172800' })).toMatchObject({ kind, afterMs: 172_800_000 });
});

test.each(['soon', '', '2026-01-01', 'Sun, 31 Feb 2027 00:00:00 GMT'])(
  'A 503 with Retry-After turned the request away, although nobody understands %j',
  (retryAfter) => {
    expect(outcome(503, { retryAfter })).toEqual({ kind: 'retry', status: 503, reason: 'HTTP 503' });
    expect(outcome(429, { retryAfter })).toEqual({ kind: 'retry', status: 429, reason: 'HTTP 429' });
    // It does not say so of other errors.
    expect(outcome(502, { retryAfter })).toEqual({ kind: 'unknown', status: 502, reason: 'HTTP 502' });
  },
);

test('Retry-After of what will never be accepted changes nothing', () => {
  expect(outcome(400, { retryAfter: '5' })).toEqual({ kind: 'rejected', status: 400, reason: 'HTTP 400' });
});
