import type { Lane } from './line';
import { SharedSlots } from './resources';

/** What is needed of a row to tell whether it may be what ends its workers. */
export interface Suspicious {
  /** Claims of it in a row that came to no outcome. */
  readonly recoveries: number;
  readonly lane: Pick<Lane, 'account' | 'origin'>;
}

/** It may be what ends its workers, because several ended in a row while they had it. */
export function isSuspect({ recoveries }: Pick<Suspicious, 'recoveries'>): boolean {
  return recoveries > 1;
}

/** Parts of `concurrency` that rows have together with which two workers ended in a row, and three; later each is alone. */
const PARTS: ReadonlyMap<number, number> = new Map([
  [2, 1 / 4],
  [3, 1 / 32],
]);

/**
 * Counts the rows that may be what ends their workers, from their claim until their outcome is written.
 *
 * 1. *A row that ends its workers is soon claimed alone*: with each worker that ends, fewer such rows are claimed at a time.
 *    So it counts on by itself, and its neighbours, whose outcomes are written, begin again at none.
 * 2. *A crowd that was claimed with it is soon sent*, because at first many are claimed at a time.
 * 3. *No account and no origin has more of them than it leaves free*.
 */
export class Suspects {
  private readonly pool: SharedSlots;
  private readonly claimed = new Set<Suspicious>();
  /** How many of them allow so many at a time, by that number. */
  private readonly limits = new Map<number, number>();

  constructor(private readonly concurrency: number) {
    this.pool = new SharedSlots(this.limitOf(2));
  }

  /** The row may be claimed beside those that are. */
  fits(row: Suspicious): boolean {
    return this.claimed.size < Math.min(this.limitOf(row.recoveries), ...this.limits.keys());
  }

  /** The account and the origin of the row have not got their share of those yet that are claimed. */
  hasShare(row: Suspicious): boolean {
    return !isSuspect(row) || this.pool.hasRoomFor(row.lane.account, row.lane.origin);
  }

  /** The row is being claimed. */
  take(row: Suspicious): void {
    if (!isSuspect(row)) return;
    this.claimed.add(row);
    this.pool.take(row.lane.account, row.lane.origin);
    const limit = this.limitOf(row.recoveries);
    this.limits.set(limit, (this.limits.get(limit) ?? 0) + 1);
  }

  /** The row was not won, or its outcome is written. */
  release(row: Suspicious): void {
    if (!this.claimed.delete(row)) return;
    this.pool.giveBack(row.lane.account, row.lane.origin);
    const limit = this.limitOf(row.recoveries);
    const left = (this.limits.get(limit) ?? 0) - 1;
    if (left > 0) this.limits.set(limit, left);
    else this.limits.delete(limit);
  }

  private limitOf(recoveries: number): number {
    return Math.max(1, Math.floor(this.concurrency * (PARTS.get(recoveries) ?? 0)));
  }
}
