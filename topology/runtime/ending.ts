import type { Clock } from '../core/clock';

/** How long committing, and leaving a group, may take: as long as brokers take that answer at all. */
export const COMMIT_LIMIT_MS = 2_000;
export const LEAVE_LIMIT_MS = 3_000;

/**
 * Waits for work, but not longer than `limitMs`.
 * @returns whether it was done by then
 * @throws what the work throws by then
 */
export async function within(clock: Clock, limitMs: number, work: Promise<unknown>): Promise<boolean> {
  const over = new AbortController();
  try {
    return await Promise.race([work.then(() => true), clock.sleep(limitMs, over.signal).then(() => false)]);
  } finally {
    over.abort();
  }
}

/** Resolves when the signal aborts. */
export function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/**
 * The end in good order, step by step. No step keeps the next ones from being taken, whether it throws or is never done, and
 * what was not done can be named.
 */
export class Ending {
  private readonly underWay = new Set<string>();
  private readonly givenUp: string[] = [];

  /** @param onError takes what a step throws */
  constructor(
    private readonly clock: Clock,
    private readonly onError: (error: unknown) => void,
  ) {}

  /** What was given up, and what is still waited for. */
  get left(): string[] {
    return [...this.givenUp, ...this.underWay];
  }

  /**
   * Takes a step and waits for it. Does not throw.
   * @param what it does, for people
   * @param limitMs after which it is given up; without it the limit of the whole end is its own
   * @returns whether it was done
   */
  async step(what: string, work: () => Promise<unknown>, limitMs?: number): Promise<boolean> {
    this.underWay.add(what);
    try {
      const working = work();
      const isDone = limitMs === undefined ? working.then(() => true) : within(this.clock, limitMs, working);
      if (await isDone) return true;
      this.givenUp.push(what);
    } catch (error) {
      this.onError(error);
    } finally {
      this.underWay.delete(what);
    }
    return false;
  }
}
