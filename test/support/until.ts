import { systemClock } from '../../topology/core/clock';

/** Looks at a condition until it holds. @throws after `limit` milliseconds, saying `what` did not come about */
export async function until(what: string, condition: () => boolean | Promise<boolean>, limit = 60_000): Promise<void> {
  const end = systemClock.monotonic() + limit;
  while (!(await condition())) {
    if (systemClock.monotonic() > end) throw new Error(`not within ${limit} ms: ${what}`);
    await systemClock.sleep(10);
  }
}
