import type { Clock, Timer } from '../../../topology/core/clock';

/** Something that must end by a deadline. */
export interface Bounded {
  /** Monotonic milliseconds. May change while it is under way. */
  readonly deadline: number;
  /** The deadline has passed. Called once; it counts as removed already. */
  expire(): void;
}

/**
 * Bounds thousands of attempts with one timer: a sweep over what is under way, which runs only while something is. An
 * attempt ends within one sweep (a twentieth of the time-out, 100 ms at most) after its deadline.
 */
export class AttemptsUnderWay {
  private readonly underWay = new Set<Bounded>();
  private readonly sweepEveryMs: number;
  private timer: Timer | undefined;

  constructor(
    private readonly clock: Pick<Clock, 'after' | 'monotonic'>,
    timeoutMs: number,
  ) {
    this.sweepEveryMs = Math.max(5, Math.min(100, timeoutMs / 20));
  }

  add(attempt: Bounded): void {
    this.underWay.add(attempt);
    this.timer ??= this.clock.after(this.sweepEveryMs, () => this.sweep());
  }

  remove(attempt: Bounded): void {
    this.underWay.delete(attempt);
  }

  get size(): number {
    return this.underWay.size;
  }

  /** Ends all, as if their deadlines had passed. */
  expireAll(): void {
    for (const attempt of this.underWay) this.expire(attempt);
  }

  /** Stops the timer. What is under way is not bounded any more. */
  close(): void {
    this.timer?.cancel();
    this.timer = undefined;
    this.underWay.clear();
  }

  private sweep(): void {
    this.timer = undefined;
    const now = this.clock.monotonic();
    for (const attempt of this.underWay) {
      if (attempt.deadline <= now) this.expire(attempt);
    }
    if (this.underWay.size > 0) this.timer ??= this.clock.after(this.sweepEveryMs, () => this.sweep());
  }

  private expire(attempt: Bounded): void {
    this.underWay.delete(attempt);
    attempt.expire();
  }
}
