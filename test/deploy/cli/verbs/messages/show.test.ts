import { untilText, withoutCredentials } from '../../../../../deploy/cli/verbs/messages/show';

const DUE = Date.UTC(2027, 0, 1);
const HOUR_MS = 3_600_000;

test('of a message that waits it is said until when it is sent', () => {
  const message = { state: 'scheduled', dueAt: DUE, lateFrom: null, sendWithinMs: null, onLate: null };
  const of = (more: object, sendWithinMs: number | null = 24 * HOUR_MS) =>
    untilText({ ...message, ...more } as never, { sendWithinMs, onLate: 'suspend' });
  expect(of({})).toBe('2027-01-02T00:00:00.000Z; afterwards a person decides');
  expect(of({ sendWithinMs: 36 * HOUR_MS, onLate: 'skip', lateFrom: DUE + 48 * HOUR_MS })).toBe(
    '2027-01-04T12:00:00.000Z; afterwards it is skipped',
  );
  expect(of({}, null)).toBeNull();
  expect(of({ state: 'delivered' })).toBeNull();
});

test('credentials in headers are not shown on a screen; everything else is', () => {
  const headers = { Authorization: 'Bearer abc', 'X-Api-Key': 'abc', 'X-Any': 'Basic abc', 'X-Tag': 'spring' };
  const payload = { url: 'https://x.test', headers, body: { token: 'of the body' } };
  const hidden = '(hidden; --json shows it)';
  expect(withoutCredentials(payload)).toEqual({
    ...payload,
    headers: { Authorization: hidden, 'X-Api-Key': hidden, 'X-Any': hidden, 'X-Tag': 'spring' },
  });
  expect(withoutCredentials({ url: 'https://x.test' })).toEqual({ url: 'https://x.test' });
  expect(withoutCredentials(null)).toBeNull();
});
