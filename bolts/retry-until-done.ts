import type { Clock } from '../topology/core/clock';
import { backOff } from '../topology/core/retry-policy';

export interface RetryUntilDoneOptions {
  readonly clock: Clock;
  /** In [0, 1), for the jitter. */
  readonly random: () => number;
  /** Takes what could not be done, and why. It is tried again. */
  readonly onError: (what: string, error: unknown) => void;
}

/** Delays between tries while the database is away. */
const BACK_OFF = { baseMs: 100, capMs: 2_000 };

/** Retries an action with back-off until it succeeds, or until `end()` is called. */
export class RetryUntilDone {
  private readonly ended = new AbortController();

  constructor(private readonly options: RetryUntilDoneOptions) {}

  /** @returns undefined after `end()` */
  async until<T>(what: string, action: () => Promise<T>): Promise<T | undefined> {
    const { clock, random, onError } = this.options;
    for (let tries = 1; !this.ended.signal.aborted; tries++) {
      try {
        return await action();
      } catch (error) {
        if (this.ended.signal.aborted) return undefined;
        onError(what, error);
        await clock.sleep(backOff(BACK_OFF, tries, random()), this.ended.signal);
      }
    }
    return undefined;
  }

  /** Waits. @returns false after `end()` */
  async rest(delayMs: number): Promise<boolean> {
    await this.options.clock.sleep(delayMs, this.ended.signal);
    return !this.ended.signal.aborted;
  }

  end(): void {
    this.ended.abort();
  }
}
