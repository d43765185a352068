import type { Clock, Timer } from '../../topology/core/clock';
import type { AttemptResult } from '../send-rows';

export interface BesideOthersOptions {
  readonly clock: Clock;
  /** The ledger has the result already. */
  readonly isDurable: (result: AttemptResult) => boolean;
}

/** While the bolt drains: between two tries, and for how long. Less than any limit for draining. */
export const HURRIED_RETRY_MS = 500;
const HURRIED_FOR_MS = 20_000;

/**
 * Results that are written beside all others, one try at a time. While the bolt drains they are tried at once, and let go of after 20 s: the
 * rows are recovered when the session has ended.
 */
export abstract class BesideOthers<Trying> {
  /** The bolt drains, and has waited for as long as it may. */
  isOver = false;
  protected trying: Trying | undefined;
  protected isHurried = false;
  protected isClosed = false;
  private timer: Timer | undefined;
  private limit: Timer | undefined;

  constructor(private readonly drained: BesideOthersOptions) {}

  /** From now on results are tried at once. */
  hurry(): void {
    if (this.isHurried || this.isClosed) return;
    this.isHurried = true;
    this.makeAllDue();
    this.limit = this.drained.clock.after(HURRIED_FOR_MS, () => {
      this.isOver = true;
      this.letGo();
    });
    this.proceed();
  }

  close(): void {
    this.isClosed = true;
    this.timer?.cancel();
    this.limit?.cancel();
  }

  protected get now(): number {
    return this.drained.clock.monotonic();
  }

  /** Tries what is due, or waits for it. */
  protected proceed(): void {
    this.timer?.cancel();
    this.timer = undefined;
    if (this.isClosed || this.trying !== undefined) return;
    const { now } = this;
    const at = this.tryNext(now);
    if (at !== undefined) this.timer = this.drained.clock.after(at - now, () => this.proceed());
  }

  /** It was let go of, or the bolt was closed, while it was being tried. */
  protected isGone(trying: Trying): boolean {
    return this.isClosed || this.trying !== trying;
  }

  /** Without those that the ledger has. */
  protected countOf(results: readonly AttemptResult[]): number {
    return results.filter((result) => !this.drained.isDurable(result)).length;
  }

  /** Begins to try what is due. @returns when something will be, monotonic milliseconds; undefined when a try has begun, or nothing waits */
  protected abstract tryNext(now: number): number | undefined;
  protected abstract makeAllDue(): void;
  protected abstract letGo(): void;
}
