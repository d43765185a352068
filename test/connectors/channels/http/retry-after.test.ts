import { retryAfterMs } from '../../../../connectors/channels/http/retry-after';

const now = Date.UTC(2026, 0, 1);
const MINUTE = 60_000;
const DAY = 86_400_000;

test.each([
  ['0', 0],
  ['120', 120_000],
  [' 120 ', 120_000],
  ['1.5', 1_500],
  ['0.0001', 1],
  ['30 seconds', 30_000],
  ['30s', 30_000],
  ['259200', 3 * DAY],
  // The three forms of an HTTP date; the last one has no zone and is in UTC.
  ['Thu, 01 Jan 2026 00:01:00 GMT', MINUTE],
  ['Thursday, 01-Jan-26 00:01:00 GMT', MINUTE],
  ['Thu Jan  1 00:01:00 2026', MINUTE],
  // Others that servers send.
  ['Thu, 01 Jan 2026 01:01:00 +0100', MINUTE],
  ['Thu, 01 Jan 2026 00:01:00 UTC', MINUTE],
  ['2026-01-01T00:01:00Z', MINUTE],
  ['2026-01-01T01:01:00.000+01:00', MINUTE],
  [String(now / 1_000 + 60), MINUTE],
  [String(now + MINUTE), MINUTE],
  // Days ahead, and the past.
  ['Mon, 05 Jan 2026 00:00:00 GMT', 4 * DAY],
  ['Sunday, 06-Nov-94 08:49:37 GMT', 0],
  ['Wed, 31 Dec 2025 23:00:00 GMT', 0],
])('Retry-After: %s', (value, expected) => {
  expect(retryAfterMs(value, now)).toBe(expected);
});

test.each(['', 'soon', '-1', '1e3', '2026-01-01', 'Thu, nonsense', 'Thu, 99 Foo 2026 00:00:00 GMT', '1'.repeat(100)])(
  'Retry-After: %s is ignored',
  (value) => {
    expect(retryAfterMs(value, now)).toBeUndefined();
  },
);

test('a date without a zone is in UTC wherever the worker runs', () => {
  const zone = process.env['TZ'];
  process.env['TZ'] = 'America/New_York';
  try {
    expect(retryAfterMs('Thu Jan  1 00:01:00 2026', now)).toBe(MINUTE);
  } finally {
    if (zone === undefined) delete process.env['TZ'];
    else process.env['TZ'] = zone;
  }
});
