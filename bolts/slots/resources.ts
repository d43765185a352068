import { type Lane, Resource } from './line';

/** What an attempt says of its host: it answered, it did not, or nothing. */
export type Verdict = 'answered' | 'failed' | 'nothing';

/** A host whose answers take longer than this on average is slow. Milliseconds. */
const SLOW = 1_000;
/** Failures in a row from which on a host is tried sparingly. */
const FAILURES = 3;
/** Weight of the newest answer in the average. */
const WEIGHT = 0.2;

/**
 * One host and how many requests it is trusted with: additive increase, multiplicative decrease (Jacobson, "Congestion
 * Avoidance and Control", 1988). Each answer opens the window by one, failures in a row halve it down to one.
 */
export class Host extends Resource {
  readonly lanes = new Map<string, Lane>();
  /** It has answered, and quickly. Only such a host may have more than a share of the slots. */
  quick = false;
  /** When an attempt at it last ended, monotonic milliseconds. */
  lastEnded = 0;
  private failures = 0;
  private average = 0;
  private window: number;

  /**
   * @param most requests in flight when it is quick
   * @param share requests in flight before that is known, or when it is slow
   */
  constructor(
    readonly name: string,
    private readonly most: number,
    private readonly share: number,
  ) {
    super();
    this.window = Math.min(most, share);
  }

  /** Requests that may be in flight. */
  get limit(): number {
    return this.quick ? this.window : Math.min(this.window, this.share);
  }

  /** Something is known of it. */
  get known(): boolean {
    return this.failures > 0 || this.average > 0;
  }

  /**
   * @param elapsed milliseconds from the request to its end
   * @param now monotonic milliseconds
   */
  judge(verdict: Verdict, elapsed: number, now: number): void {
    this.lastEnded = now;
    if (verdict === 'nothing') return;
    if (verdict === 'failed') {
      if (++this.failures < FAILURES) return;
      this.quick = false;
      this.window = Math.max(1, this.window >> 1);
      return;
    }
    this.average = this.average === 0 ? Math.max(1, elapsed) : this.average + (elapsed - this.average) * WEIGHT;
    this.failures = 0;
    this.quick = this.average < SLOW;
    this.window = Math.min(this.most, this.window + 1);
  }
}
