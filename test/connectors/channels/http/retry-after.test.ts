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
  ['-1', 0],
  ['-5 s', 0],
  [String(now / 1_000 - 60), 0],
  // Nearly dates of HTTP.
  ['Thu, 01-Jan-2026 00:01:00 GMT', MINUTE],
  ['Thu, 01 Jan 26 00:01:00 GMT', MINUTE],
  ['Thu,01 Jan 2026 00:01:00 GMT', MINUTE],
  ['Thu 1 January 2026 00:01:00 GMT', MINUTE],
  ['01 Jan 2026 00:01:00 GMT', MINUTE],
  ['thu, 01 jan 2026 00:01:00 gmt', MINUTE],
  ['Thu, 01 Jan 2026 00:01 GMT', MINUTE],
  ['Thu, 01 Jan 2026 00:01:00 Z', MINUTE],
  ['Thu, 01 Jan 2026 01:01:00 +01:00', MINUTE],
  ['Thu, 01 Jan 2026 01:01:00 GMT+0100', MINUTE],
  ['Wed, 31 Dec 2025 19:01:00 -0500', MINUTE],
  ['Thu, 01 Jan 2026 00:01:00', MINUTE],
  ['  Thu,  01  Jan  2026  00:01:00  GMT ', MINUTE],
  ['Thu Jan  1 00:01:00 UTC 2026', MINUTE],
  // A second that was inserted, and a day of the week that is another one.
  ['Thu, 01 Jan 2026 00:00:60 GMT', MINUTE],
  ['Mon, 01 Jan 2026 00:01:00 GMT', MINUTE],
  // Nearly ISO 8601.
  ['2026-01-01T00:01Z', MINUTE],
  ['2026-01-01 00:01:00 UTC', MINUTE],
  ['2026-01-01 00:01:00', MINUTE],
  ['2026-01-01t01:01:00+01', MINUTE],
  ['2026-01-01 01:01:00 +0100', MINUTE],
  ['20260101T000100Z', MINUTE],
  ['2026-01-01T00:00:00.5Z', 500],
  // Finer epochs, and fractions.
  [`${now / 1_000 + 60}.5`, MINUTE + 500],
  [`${now + MINUTE}000`, MINUTE],
  [`${now + MINUTE}000000`, MINUTE],
  // Quotes and units.
  ['"120"', 120_000],
  ["'120'", 120_000],
  ['"Thu, 01 Jan 2026 00:01:00 GMT"', MINUTE],
  ['+120', 120_000],
  ['.5', 500],
  ['1e3', 1_000_000],
  ['120ms', 120],
  ['2 minutes', 2 * MINUTE],
  ['2m', 2 * MINUTE],
  ['1.5h', 90 * MINUTE],
  ['1m30.5s', 90_500],
  ['1 hour 5 min', 65 * MINUTE],
  ['2d', 2 * DAY],
  ['PT2M', 2 * MINUTE],
  ['P1DT1M0.5S', DAY + MINUTE + 500],
  // As JavaScript writes a date, and by the old names of zones.
  ['Thu Jan 01 2026 00:01:00 GMT+0000 (Coordinated Universal Time)', MINUTE],
  ['Thu Jan 01 2026 01:01:00 GMT+0100 (Central European Standard Time)', MINUTE],
  ['Wed, 31 Dec 2025 19:01:00 EST', MINUTE],
  ['Wed, 31 Dec 2025 17:01:00 PDT', MINUTE],
  ['Thu, 01 Jan 2026 01:01:00 CET', MINUTE],
  ['Thu, 01 Jan 2026 02:01:00 CEST', MINUTE],
  ['Thu, 01 Jan 2026 09:01:00 JST', MINUTE],
  // In words.
  ['5 weeks', 35 * DAY],
  ['1w', 7 * DAY],
  ['60s.', MINUTE],
  ['60 seconds.', MINUTE],
  ['in 30 seconds', 30_000],
  ['after 2 minutes', 2 * MINUTE],
  ['1 hour and 5 minutes', 65 * MINUTE],
  ['In 1 day and 1 hour and 1 minute.', DAY + 61 * MINUTE],
  // No day of a calendar.
  ['20261321', 20_261_321_000],
  // With a comment or parameters behind them.
  ['120;duration=3600', 120_000],
  ['120 (in maintenance)', 120_000],
  ['P1W', 7 * DAY],
  // Of several the furthest.
  ['120, 120', 120_000],
  ['7,30', 30_000],
  ['30,7', 30_000],
  ['soon, 30', 30_000],
  ['10, Thu, 01 Jan 2026 00:01:00 GMT', MINUTE],
  ['Thu, 01 Jan 2026 00:01:00 GMT, Thursday, 01-Jan-26 00:02:00 GMT, 5', 2 * MINUTE],
  // Absurd, and finite all the same.
  ['1'.repeat(100), Number.MAX_SAFE_INTEGER],
  ['1e999', Number.MAX_SAFE_INTEGER],
  [`${'9'.repeat(30)}d`, Number.MAX_SAFE_INTEGER],
])('Retry-After: %s', (value, expected) => {
  expect(retryAfterMs(value, now)).toBe(expected);
});

test.each([
  '',
  ',',
  'soon',
  '-',
  '1.2.3',
  'in',
  'in a minute',
  'and 5 minutes',
  '5 parsecs',
  'P',
  'PT',
  // Neither says which moment of the day.
  '2026-01-01',
  '20261221',
  'Thu, 01 Jan 2026',
  'Thu',
  'Thu, nonsense',
  'Thu, 99 Foo 2026 00:00:00 GMT',
  'Thu, 01 Foo 2026 00:00:00 GMT',
  'Sun, 31 Feb 2027 00:00:00 GMT',
  '2026-02-30T00:00:00Z',
  'Thu, 01 Jan 2026 25:00:00 GMT',
  'Thu, 01 Jan 2026 00:01:00 somewhere',
  // Britain's in summer, or another one.
  'Thu, 01 Jan 2026 00:01:00 BST',
])('Retry-After: %s is not understood', (value) => {
  expect(retryAfterMs(value, now)).toBeUndefined();
});

test('a year of two digits is the one that is not more than 50 years ahead', () => {
  const yearOf = (text: string) => new Date(now + (retryAfterMs(text, now) ?? 0)).getUTCFullYear();
  expect(yearOf('Wednesday, 01-Jan-76 00:00:00 GMT')).toBe(2076);
  // 1977.
  expect(retryAfterMs('Saturday, 01-Jan-77 00:00:00 GMT', now)).toBe(0);
});

test('a header is read as far as a sensible one is long', () => {
  expect(retryAfterMs(`${' '.repeat(900)}120`, now)).toBe(120_000);
  expect(retryAfterMs(`${' '.repeat(1_100)}120`, now)).toBeUndefined();
});

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
