import { systemClock } from '../../topology/core/clock';

/**
 * Looks at a condition until it holds.
 * @param everyMs longer where looking costs much
 * @throws after `limit` milliseconds, saying `what` did not come about
 */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  limit = 60_000,
  everyMs = 10,
): Promise<void> {
  const end = systemClock.monotonic() + limit;
  while (!(await condition())) {
    if (systemClock.monotonic() > end) throw new Error(`not within ${limit} ms: ${what}`);
    await systemClock.sleep(everyMs);
  }
}
