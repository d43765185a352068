import type { Clock } from '../topology/core/clock';
import { Repeating } from './repeating';
import type { AccountName, SuspendedRows } from './suspended-rows';

const LOOK_EVERY_MS = 1_000;
/** Resuming may take this part of the time, so that a million messages of one account leave the database to others. */
const MAX_PART_OF_TIME = 0.2;

/**
 * Schedules suspended messages again whose account can be used again. Only the task that owns partition 0 does so; the table says
 * what is left to do, so the next owner continues where another one died.
 *
 * 1. *Accounts take turns*: each has one batch before another has its second, also where one of them fails.
 * 2. *A round that comes no further is followed by a rest*: what holds the rows is not asked for again and again. One that passes over
 *    rows that are kept back comes further.
 */
export class ResumeWatch {
  private readonly repeating: Repeating;
  private inCharge = false;
  private after: AccountName | undefined;
  /** In this round a row moved, or there are more of an account to look at. */
  private isMoving = false;

  constructor(
    private readonly rows: SuspendedRows,
    private readonly clock: Clock,
    onError: (error: unknown) => void,
  ) {
    this.repeating = new Repeating(clock, () => this.run(), onError);
  }

  assigned(partitions: readonly number[]): void {
    this.inCharge = partitions.includes(0);
    if (this.inCharge) this.repeating.kick();
  }

  close(): Promise<void> {
    return this.repeating.close();
  }

  private async run(): Promise<number | undefined> {
    if (!this.inCharge) return undefined;
    const begun = this.clock.monotonic();
    const { rows, hasMore, at, failure } = await this.rows.resume(this.after);
    this.after = at;
    this.isMoving ||= rows > 0 || hasMore;
    if (failure !== undefined) throw failure;
    if (at === undefined) {
      // The end of a round: the accounts that have more begin the next one.
      const restMs = this.isMoving ? 0 : LOOK_EVERY_MS;
      this.isMoving = false;
      return restMs;
    }
    return ((this.clock.monotonic() - begun) * (1 - MAX_PART_OF_TIME)) / MAX_PART_OF_TIME;
  }
}
