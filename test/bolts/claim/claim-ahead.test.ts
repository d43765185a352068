import { ClaimAhead } from '../../../bolts/claim/claim-ahead';

function crowd(ahead: ClaimAhead, rows: number, at: number): void {
  for (let n = 0; n < rows; n++) ahead.add(at);
}

/** One row per millisecond, answers after 20 ms. */
function slow(max: number): ClaimAhead {
  const ahead = new ClaimAhead(max);
  for (let n = 0; n < 50; n++) ahead.measured(100, 100, 20);
  return ahead;
}

describe('ClaimAhead', () => {
  const now = 1_800_000_000_000;

  it('1. just enough', () => {
    const ahead = slow(2_000);
    const wake = now + 1_900;
    crowd(ahead, 400, wake);
    const begins = ahead.beginsAt(now);
    expect(wake - begins).toBeGreaterThanOrEqual(400 + 20);
    expect(wake - begins).toBeLessThan(750);
    expect(ahead.horizon(begins - 5)).toBe(begins - 5);
    expect(ahead.horizon(begins + 5)).toBeGreaterThanOrEqual(wake);
    expect(ahead.beginsAt(begins + 5)).toBe(Number.POSITIVE_INFINITY);
  });

  it('what can be claimed in its instant is not claimed ahead, however much comes one after the other', () => {
    const ahead = slow(2_000);
    for (let n = 0; n < 2_000; n += 2) ahead.add(now + n);
    for (let passed = 0; passed < 100; passed += 3) expect(ahead.horizon(now + passed)).toBe(now + passed);
  });

  it('begins at the very moment that it said', () => {
    const ahead = slow(2_000);
    crowd(ahead, 400, now + 1_900);
    const begins = ahead.beginsAt(now);
    expect(ahead.beginsAt(begins - 1)).toBe(begins);
    expect(ahead.horizon(begins)).toBeGreaterThanOrEqual(now + 1_900);
  });

  it('a crowd that was claimed needs no more', () => {
    const ahead = slow(2_000);
    crowd(ahead, 400, now + 300);
    expect(ahead.horizon(now)).toBeGreaterThan(now);
    for (let n = 0; n < 400; n++) ahead.remove(now + 300);
    expect(ahead.horizon(now + 10)).toBe(now + 10);
  });

  it('2. never further ahead than maxMs', () => {
    const ahead = slow(500);
    crowd(ahead, 50_000, now + 1_900);
    expect(ahead.horizon(now)).toBe(now);
    expect(ahead.horizon(now + 1_390)).toBe(now + 1_390);
    expect(ahead.horizon(now + 1_450) - (now + 1_450)).toBeLessThanOrEqual(500);
    expect(ahead.horizon(now + 1_450)).toBeGreaterThanOrEqual(now + 1_900);
  });

  it('0 switches it off, and so does not knowing the time', () => {
    const off = slow(0);
    crowd(off, 50_000, now + 100);
    expect(off.horizon(now)).toBe(now);
    const ahead = slow(2_000);
    crowd(ahead, 50_000, now + 100);
    expect(ahead.horizon(Number.NEGATIVE_INFINITY)).toBe(Number.NEGATIVE_INFINITY);
  });
});
