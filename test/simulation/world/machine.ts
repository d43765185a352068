import { type Clock, sleepOn, type Timer, timerDelay } from '../../../topology/core/clock';
import type { Random } from '../../support/random';
import { BEGINNING, type SimulatedTime } from './time';

/**
 * One process on one machine: its clocks, and the gate through which everything reaches it. Nothing reaches a dead process.
 * What reaches a frozen one (a zombie to be) waits until it thaws. What it sent before is on its way all the same.
 */
export class Machine implements Clock {
  dead = false;
  /** The wall clock is wrong by this, milliseconds; no promise may depend on it. */
  wallOffset: number;
  /** Since when it has not been heard, milliseconds of true time. */
  silentSince = Number.POSITIVE_INFINITY;
  private frozen = false;
  private readonly waiting: (() => void)[] = [];
  private readonly bootOffset: number;
  private readonly rate: number;

  constructor(
    private readonly time: SimulatedTime,
    private readonly random: Random,
  ) {
    this.wallOffset = random.between(-60_000, 60_000);
    this.bootOffset = random.between(1_000, 1_000_000);
    this.rate = 1 + random.between(-50e-6, 50e-6);
  }

  get isSilent(): boolean {
    return this.dead || this.frozen;
  }

  now(): number {
    return Math.floor(BEGINNING + this.time.elapsed + this.wallOffset);
  }

  monotonic(): number {
    return this.bootOffset + this.time.elapsed * this.rate;
  }

  after(delay: number, run: () => void): Timer {
    // As setTimeout does: a millisecond at least, and a little late.
    const late = this.random.skewed(0.01, 1.5);
    let cancelled = false;
    const timer = this.time.after(Math.max(1, timerDelay(delay)) / this.rate + late, () => {
      this.deliver(() => {
        if (!cancelled) run();
      });
    });
    return {
      cancel: () => {
        cancelled = true;
        timer.cancel();
      },
    };
  }

  sleep(delay: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, delay, signal);
  }

  /** Something reaches the process: a timer, an answer, a record. */
  deliver(run: () => void): void {
    if (this.dead) return;
    if (this.frozen) this.waiting.push(run);
    else run();
  }

  die(): void {
    this.dead = true;
    this.silentSince = Math.min(this.silentSince, this.time.elapsed);
    this.waiting.length = 0;
  }

  freeze(): void {
    if (this.isSilent) return;
    this.frozen = true;
    this.silentSince = this.time.elapsed;
  }

  /** Delivers all that has come meanwhile, each in a moment of its own, because promises settle in between. */
  thaw(): void {
    if (!this.frozen || this.dead) return;
    this.frozen = false;
    this.silentSince = Number.POSITIVE_INFINITY;
    for (const run of this.random.shuffled(this.waiting.splice(0))) {
      this.time.after(this.random.between(0, 2), () => this.deliver(run));
    }
  }
}
