import { DatabaseClockBounds } from '../../../topology/core/database-clock';
import { ManualClock } from '../../support/manual-clock';

/** A database whose clock is `ahead` of monotonic time, read with the given delays (ms). */
async function read(
  clock: ManualClock,
  bounds: DatabaseClockBounds,
  ahead: number,
  out: number,
  back: number,
  server = 'a',
) {
  const sent = clock.monotonic();
  await clock.advance(out);
  const timestamp = clock.monotonic() + ahead;
  await clock.advance(back);
  bounds.observe({ timestamp, sent, received: clock.monotonic(), server });
}

describe('DatabaseClockBounds', () => {
  it('knows nothing before the first reading', () => {
    const bounds = new DatabaseClockBounds(new ManualClock());
    expect([bounds.earliest(), bounds.latest()]).toEqual([Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]);
  });

  it('holds the true time between its bounds whatever the round trips, and tightens them', async () => {
    const clock = new ManualClock();
    const bounds = new DatabaseClockBounds(clock);
    for (const [out, back] of [
      [200, 10],
      [5, 190],
      [3, 4],
      [80, 1],
      [1, 60],
    ] as const) {
      await read(clock, bounds, 1_000_000, out, back);
      const truth = clock.monotonic() + 1_000_000;
      expect(bounds.earliest()).toBeLessThanOrEqual(truth);
      expect(bounds.latest()).toBeGreaterThanOrEqual(truth);
      await clock.advance(1_000);
    }
    expect(bounds.latest() - bounds.earliest()).toBeLessThan(5);
  });

  it('is never early after a lopsided round trip, where a midpoint would be', async () => {
    const clock = new ManualClock();
    const bounds = new DatabaseClockBounds(clock);
    await read(clock, bounds, 0, 0, 600);
    expect(bounds.earliest()).toBe(0);
    expect(bounds.latest()).toBe(600);
  });

  it('starts anew with another server and after a step of the clock', async () => {
    const clock = new ManualClock();
    const bounds = new DatabaseClockBounds(clock);
    await read(clock, bounds, 0, 1, 1, 'a');
    await read(clock, bounds, 5_000, 1, 1, 'b');
    expect(Math.abs(bounds.earliest() - (clock.monotonic() + 5_000))).toBeLessThan(2);
    await read(clock, bounds, -90_000, 1, 1, 'b');
    expect(Math.abs(bounds.earliest() - (clock.monotonic() - 90_000))).toBeLessThan(2);
  });

  it('forgets what is too old', async () => {
    const clock = new ManualClock();
    const bounds = new DatabaseClockBounds(clock);
    await read(clock, bounds, 0, 1, 1);
    await clock.advance(31_000);
    expect(bounds.earliest()).toBe(Number.NEGATIVE_INFINITY);
  });

  it('never stands still while readings come, however slow they all are', async () => {
    const clock = new ManualClock();
    const bounds = new DatabaseClockBounds(clock);
    for (let second = 0; second < 100; second++) {
      await read(clock, bounds, 0, 200, 200);
      for (let step = 0; step < 6; step++) {
        expect(bounds.earliest()).toBeGreaterThan(clock.monotonic() - 500);
        expect(bounds.latest()).toBeLessThan(clock.monotonic() + 500);
        await clock.advance(100);
      }
    }
  });

  it('goes back to the bounds of a later reading when the tightest one is too old', async () => {
    const clock = new ManualClock();
    const bounds = new DatabaseClockBounds(clock);
    await read(clock, bounds, 0, 1, 1);
    await clock.advance(20_000);
    await read(clock, bounds, 0, 100, 100);
    await clock.advance(15_000);
    expect(clock.monotonic() - bounds.earliest()).toBeGreaterThan(90);
    expect(clock.monotonic() - bounds.earliest()).toBeLessThan(110);
  });

  it('ignores a slow round trip while a better reading is fresh', async () => {
    const clock = new ManualClock();
    const bounds = new DatabaseClockBounds(clock);
    await read(clock, bounds, 0, 1, 1);
    await read(clock, bounds, 0, 300, 300);
    expect(bounds.latest() - bounds.earliest()).toBeLessThan(5);
  });
});
