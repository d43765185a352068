import {
  formatCount,
  formatDuration,
  formatInstant,
  formatPartitions,
  formatRelative,
} from '../../../deploy/console/units';

test('durations carry the unit that reads best', () => {
  const cases: [number, string][] = [
    [0, '0 ms'],
    [999.4, '999 ms'],
    [999.6, '1.00 s'],
    [1_250, '1.25 s'],
    [12_340, '12.3 s'],
    [60_000, '1 min'],
    [200_000, '3 min 20 s'],
    [3_600_000 * 5 + 120_000, '5 h 2 min'],
    [86_400_000 * 12, '12 d'],
    [-1_500, '-1.50 s'],
    [Number.POSITIVE_INFINITY, '–'],
  ];
  for (const [milliseconds, text] of cases) expect(formatDuration(milliseconds)).toBe(text);
});

test('counts are grouped by thousands', () => {
  expect([0, 999, 1_000, 12_345_678].map(formatCount)).toEqual(['0', '999', '1,000', '12,345,678']);
});

test('an instant is ISO 8601 in UTC, also at the edges', () => {
  expect(formatInstant(0)).toBe('1970-01-01T00:00:00.000Z');
  expect(formatInstant(null)).toBe('–');
  expect(formatInstant(Number.MAX_SAFE_INTEGER)).toBe('9007199254740991 ms');
  expect(formatRelative(1_000, 3_000)).toBe('2.00 s ago');
  expect(formatRelative(3_000, 1_000)).toBe('in 2.00 s');
});

test('partitions are shown as runs', () => {
  expect(formatPartitions([3, 1, 0, 2, 6])).toBe('0-3, 6');
  expect(formatPartitions([])).toBe('–');
});
