import { InTurn } from '../../../spouts/read/in-turn';
import { Unavailable } from '../../../topology/core/errors';
import { ManualClock } from '../../support/manual-clock';

const TIME_OUT_MS = 9_000;

let clock: ManualClock;
let inTurn: InTurn<string>;
let errors: unknown[];

beforeEach(() => {
  [clock, errors] = [new ManualClock(), []];
  inTurn = new InTurn(['bad', 'good'], { clock, onError: (error) => errors.push(error) });
});

/** Rounds for so long; `bad` fails after so many milliseconds. @returns how often each was read */
async function rounds(forMs: number, failsAfterMs: number, pauseMs: number): Promise<Record<string, number>> {
  const reads: Record<string, number> = { bad: 0, good: 0 };
  const until = clock.monotonic() + forMs;
  while (clock.monotonic() < until) {
    await inTurn.each(inTurn.items, async (item) => {
      reads[item] = (reads[item] ?? 0) + 1;
      if (item === 'good') return;
      await clock.advance(failsAfterMs);
      throw new Unavailable('no answer');
    });
    await clock.advance(pauseMs);
  }
  return reads;
}

test('one whose page takes too long takes a quarter of the time in the end, and others have the rest', async () => {
  await rounds(120_000, TIME_OUT_MS, 1_000);
  const { bad, good } = await rounds(390_000, TIME_OUT_MS, 1_000);
  expect(bad).toBeLessThanOrEqual(11);
  expect(bad).toBeGreaterThanOrEqual(9);
  expect(good).toBeGreaterThan(280);
  expect(errors.length).toBeGreaterThan(0);
});

test('the first time it is left out for as long as it took, then for twice as long', async () => {
  expect(await rounds(1, TIME_OUT_MS, 0)).toEqual({ bad: 1, good: 1 });
  expect(await rounds(TIME_OUT_MS, TIME_OUT_MS, 1_000)).toEqual({ bad: 0, good: 9 });
  expect(await rounds(1, TIME_OUT_MS, 0)).toEqual({ bad: 1, good: 1 });
  expect(await rounds(2 * TIME_OUT_MS, TIME_OUT_MS, 1_000)).toEqual({ bad: 0, good: 18 });
  expect(await rounds(1, TIME_OUT_MS, 0)).toEqual({ bad: 1, good: 1 });
});

test('one that fails at once is tried in each round', async () => {
  expect(await rounds(60_000, 0, 500)).toEqual({ bad: 120, good: 120 });
});

test('where none can be read nothing is left out, because the database may be away', async () => {
  let reads = 0;
  for (let round = 0; round < 5; round++) {
    const each = inTurn.each(inTurn.items, async () => {
      reads++;
      await clock.advance(TIME_OUT_MS);
      throw new Unavailable('away');
    });
    await expect(each).rejects.toThrow('away');
  }
  expect([reads, errors]).toEqual([10, []]);
});
