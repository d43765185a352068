import { type Clock, sleepOn, type Timer, timerDelay } from '../../topology/core/clock';

interface Waiting extends Timer {
  readonly at: number;
  readonly sequence: number;
  readonly run: () => void;
}

/**
 * A clock that moves only when `advance` is called. `advance` runs what comes due in order of time, and lets every promise that
 * can settle do so before it goes on to the next timer.
 */
export class ManualClock implements Clock {
  private elapsed = 0;
  private suspended = 0;
  private sequence = 0;
  private readonly waiting = new Set<Waiting>();

  /** @param epoch the wall clock's reading at monotonic 0, epoch milliseconds */
  constructor(private readonly epoch = 1_800_000_000_000) {}

  now(): number {
    return this.epoch + Math.floor(this.elapsed + this.suspended);
  }

  monotonic(): number {
    return this.elapsed;
  }

  after(delay: number, run: () => void): Timer {
    const waiting: Waiting = {
      at: this.elapsed + timerDelay(delay),
      sequence: this.sequence++,
      run,
      cancel: () => this.waiting.delete(waiting),
    };
    this.waiting.add(waiting);
    return waiting;
  }

  sleep(delay: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, delay, signal);
  }

  /** How many timers wait: 0 when everything was closed properly. */
  get timers(): number {
    return this.waiting.size;
  }

  /** Moves time on by `milliseconds`. */
  async advance(milliseconds: number): Promise<void> {
    const until = this.elapsed + milliseconds;
    await settled();
    for (let next = this.next(until); next !== undefined; next = this.next(until)) {
      this.waiting.delete(next);
      this.elapsed = Math.max(this.elapsed, next.at);
      next.run();
      await settled();
    }
    this.elapsed = until;
  }

  /** The machine is suspended: no timer runs, and only the wall clock moves. */
  suspend(milliseconds: number): void {
    this.suspended += milliseconds;
  }

  /** Moves time on as for a process that stood still: what comes due runs late, when the clock is advanced next. */
  jump(milliseconds: number): void {
    this.elapsed += milliseconds;
  }

  private next(until: number): Waiting | undefined {
    let first: Waiting | undefined;
    for (const one of this.waiting) {
      if (one.at > until) continue;
      if (first === undefined || one.at < first.at || (one.at === first.at && one.sequence < first.sequence))
        first = one;
    }
    return first;
  }
}

/** Lets every promise that can settle without time passing do so. */
export function settled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
