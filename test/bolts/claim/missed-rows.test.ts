import { MissedRows } from '../../../bolts/claim/missed-rows';

describe('MissedRows', () => {
  const plan = { id: 1, version: 1, updatedAt: 'then' };
  let missed: MissedRows;

  beforeEach(() => {
    missed = new MissedRows(() => 1);
  });

  it('lets a plan wait longer each time that it comes again after it was dropped', () => {
    expect(missed.returning(plan, 0)).toBeUndefined();
    const delays = [10_000, 50_000, 90_000, 130_000, 170_000, 210_000].map((now) => {
      missed.rememberDropped(plan, now);
      return missed.returning(plan, now + 20_000)?.delayMs;
    });
    expect(delays).toEqual([2_000, 4_000, 8_000, 16_000, 25_000, 25_000]);
  });

  it.each([
    ['has another version', { version: 2 }],
    ['was edited without one', { updatedAt: 'now' }],
  ])('lets a row not wait that %s', (_, edit) => {
    missed.rememberDropped(plan, 0);
    expect(missed.returning({ ...plan, ...edit }, 1_000)).toBeUndefined();
    missed.rememberDropped({ ...plan, ...edit }, 2_000);
    expect(missed.returning({ ...plan, ...edit }, 3_000)).toMatchObject({ delayMs: 2_000 });
  });

  it('forgets a plan after a minute, or when it was won', () => {
    missed.rememberDropped(plan, 0);
    missed.rememberDropped({ ...plan, id: 2 }, 0);
    expect(missed.returning(plan, 60_000)).toBeDefined();
    expect(missed.returning(plan, 120_001)).toBeUndefined();
    missed.forgetDropped(2);
    expect(missed.returning({ ...plan, id: 2 }, 1_000)).toBeUndefined();
  });
});
