import { Unavailable } from '../../topology/core/errors';
import type { HeldRow } from '../held-row';
import type { Lateness } from '../send/lateness';
import type { SendRows } from '../send-rows';

export interface LateRowsOptions {
  readonly rows: Pick<SendRows, 'settleUnclaimed'>;
  readonly session: string;
  readonly late: Lateness;
  /** Called when rows were settled, so that others may proceed. */
  readonly advance: () => void;
  readonly onError: (what: string, error: unknown) => void;
}

interface Waiting {
  readonly row: HeldRow;
  readonly done: (isOver: boolean) => void;
}

/** Rows of one transaction, at most. */
const MAX_ROWS_PER_BATCH = 500;

/**
 * Rows that came too late to be sent, or so late that newer ones go first: they end, or are put off. Neither needs a claim, so that a
 * worker that dies leaves none of them in doubt, nor a slot. One batch is on the way at a time. What belongs to another task when its batch
 * begins is not settled: a drain would wait for all of them, however slow the database is, and they wait for the next owner as well.
 */
export class LateRows {
  private readonly waiting = new Set<Waiting>();
  /** Rows that could not be settled here: they are claimed as others are, and what is too late ends then. */
  private readonly left = new WeakSet<HeldRow>();
  private isBusy = false;

  constructor(private readonly options: LateRowsOptions) {}

  /** Nothing is on the way. */
  get idle(): boolean {
    return !this.isBusy;
  }

  /** It is settled here. What is in doubt, or may be claimed already, is claimed first. */
  isLate(row: HeldRow): boolean {
    const { late } = this.options;
    if (row.inDoubt || row.unsureUntil > 0 || this.left.has(row)) return false;
    return late.isOver(row) || late.isPutOff(row);
  }

  /** @param done is called later, with false when the row is to be held as others are */
  add(row: HeldRow, done: (isOver: boolean) => void): void {
    this.waiting.add({ row, done });
    if (this.isBusy) return;
    this.isBusy = true;
    // What is added in the same tick goes with it.
    void Promise.resolve().then(() => this.settleAll());
  }

  /** Takes out the next batch, and gives back what is another task's by now. */
  private takeBatch(): Waiting[] {
    const batch: Waiting[] = [];
    for (const one of this.waiting) {
      if (batch.length === MAX_ROWS_PER_BATCH) break;
      this.waiting.delete(one);
      if (one.row.revoked) one.done(false);
      else batch.push(one);
    }
    return batch;
  }

  private async settleAll(): Promise<void> {
    const { rows, session, late, advance, onError } = this.options;
    for (let batch = this.takeBatch(); batch.length > 0; batch = this.takeBatch()) {
      let settled: ReadonlySet<number> = new Set();
      try {
        settled = new Set(
          await rows.settleUnclaimed(
            session,
            batch.map(({ row }) => late.resultOf(row)),
          ),
        );
      } catch (error) {
        onError('settle late messages', error);
        // What is not settled then comes again by reconcile.
        if (error instanceof Unavailable) settled = new Set(batch.map(({ row }) => row.id));
      }
      for (const { row, done } of batch) {
        const isOver = settled.has(row.id);
        if (!isOver) this.left.add(row);
        done(isOver);
      }
    }
    this.isBusy = false;
    advance();
  }
}
