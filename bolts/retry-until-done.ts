import type { Clock } from '../topology/core/clock';
import { backOff } from '../topology/core/retry-policy';

export interface RetryUntilDoneOptions {
  readonly clock: Clock;
  /** In [0, 1), for the jitter. */
  readonly random: () => number;
  /** What could not be done, and why; it is tried again. */
  readonly onError: (what: string, error: unknown) => void;
}

/** Delays between tries while the database is away, milliseconds. */
const TRIES = { maxAttempts: Number.POSITIVE_INFINITY, base: 100, cap: 2_000 };

/** Repeats what must be done, with back-off, until it is done or nobody waits for it any more. */
export class RetryUntilDone {
  private readonly ended = new AbortController();

  constructor(private readonly options: RetryUntilDoneOptions) {}

  /** @returns undefined once `end` was called */
  async until<T>(what: string, action: () => Promise<T>): Promise<T | undefined> {
    const { clock, random, onError } = this.options;
    for (let tries = 1; !this.ended.signal.aborted; tries++) {
      try {
        return await action();
      } catch (error) {
        if (this.ended.signal.aborted) return undefined;
        onError(what, error);
        await clock.sleep(backOff(TRIES, tries, random()), this.ended.signal);
      }
    }
    return undefined;
  }

  /** Waits. @returns false once `end` was called */
  async rest(milliseconds: number): Promise<boolean> {
    await this.options.clock.sleep(milliseconds, this.ended.signal);
    return !this.ended.signal.aborted;
  }

  end(): void {
    this.ended.abort();
  }
}
