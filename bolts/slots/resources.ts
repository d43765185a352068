/** What an attempt says of its origin: it answered, it did not, or nothing. */
export type Verdict = 'answered' | 'failed' | 'nothing';

/** An origin whose answers take longer than this on average is slow. */
const SLOW_MS = 1_000;
/** Failures in a row from which on an origin is tried sparingly. */
const MAX_FAILURES_IN_A_ROW = 3;
/** Weight of the newest answer in the average, between 0 and 1. */
const NEWEST_WEIGHT = 0.2;

/** Something of which only so much may be under way: an account, an origin, a pool of slots for several origins. */
export class Resource {
  /** Requests under way. */
  inFlight = 0;
  /** Requests under way, and rows that are claimed or being claimed for it. */
  used = 0;
}

export class AccountSlots extends Resource {
  /** The batch that claims rows of the account; 0 when none does. Only one at a time, because two answers may come in any order. */
  batch = 0;
  /** Lanes of the account. */
  lanes = 0;

  constructor(readonly name: string) {
    super();
  }
}

/**
 * One origin and how many requests it is trusted with: additive increase, multiplicative decrease (Jacobson, "Congestion
 * Avoidance and Control", 1988). Each answer opens the window by one, failures in a row halve it down to one.
 */
export class Origin extends Resource {
  /** It has answered, and quickly. Only such an origin may have more than its part of the slots. */
  quick = false;
  /** When an attempt at it last ended, monotonic milliseconds. */
  lastEnded = 0;
  /** Lanes of the origin. */
  lanes = 0;
  private failures = 0;
  private averageMs = 0;
  private window: number;

  /**
   * @param maxWhenQuick requests in flight when it is known as quick
   * @param maxOtherwise requests in flight before that is known, or when it is slow
   */
  constructor(
    readonly name: string,
    private readonly maxWhenQuick: number,
    private readonly maxOtherwise: number,
  ) {
    super();
    this.window = Math.min(maxWhenQuick, maxOtherwise);
  }

  /** Requests that may be in flight. */
  get limit(): number {
    return this.quick ? this.window : Math.min(this.window, this.maxOtherwise);
  }

  /** An attempt at it has answered or failed. */
  get known(): boolean {
    return this.failures > 0 || this.averageMs > 0;
  }

  /**
   * @param elapsedMs from the request to its end
   * @param now monotonic milliseconds
   */
  judge(verdict: Verdict, elapsedMs: number, now: number): void {
    this.lastEnded = now;
    if (verdict === 'nothing') return;
    if (verdict === 'failed') {
      if (++this.failures < MAX_FAILURES_IN_A_ROW) return;
      this.quick = false;
      this.window = Math.max(1, this.window >> 1);
      return;
    }
    const average = this.averageMs;
    this.averageMs = average === 0 ? Math.max(1, elapsedMs) : average + (elapsedMs - average) * NEWEST_WEIGHT;
    this.failures = 0;
    this.quick = this.averageMs < SLOW_MS;
    this.window = Math.min(this.maxWhenQuick, this.window + 1);
  }
}
