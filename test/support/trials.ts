import { systemClock } from '../../topology/core/clock';

const DAY_MS = 86_400_000;
/** `npm run test:trials`. */
const isWhole = process.env['TRIALS'] === 'whole';
const given = process.env['TRIALS_DAY'];
// With any other text nothing would be run, and nothing would fail.
if (given !== undefined && !/^\d{1,6}$/.test(given))
  throw new Error(`TRIALS_DAY: expected a number of days, got ${given}`);
const day = Number(given ?? Math.floor(systemClock.now() / DAY_MS));

/**
 * What takes too long to be run each time: `npm run test:trials` runs all of it, and everything else a share that is another one each
 * day. `npm test` prints the day, and TRIALS_DAY repeats it.
 * @param days after so many each has been run once
 * @param isAlways those that are run every day, beside the share
 */
export function shareOfToday<T>(all: readonly T[], days: number, isAlways: (one: T) => boolean = () => false): T[] {
  return all.filter((one, n) => isWhole || isAlways(one) || n % days === day % days);
}

/** The same for seeds: the whole range, or a part of it. @returns the first one, and how many */
export function seedsOfToday(whole: number, days: number): { readonly first: number; readonly count: number } {
  if (isWhole) return { first: 1, count: whole };
  const count = Math.ceil(whole / days);
  return { first: 1 + (day % days) * count, count };
}
