import { durationText, parseDurationMs, parseSizeBytes, sizeText } from '../../../topology/core/quantities';

test('times and sizes are shown in the largest unit that fits, and read back as they were', () => {
  for (const text of ['0ms', '1500ms', '30s', '90s', '2min', '36h', '90d']) {
    expect(durationText(parseDurationMs(text) ?? -1)).toBe(text);
  }
  for (const text of ['0B', '1000B', '64KiB', '128MiB', '3GiB']) {
    expect(sizeText(parseSizeBytes(text) ?? -1)).toBe(text);
  }
});
