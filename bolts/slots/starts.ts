import type { Lane, Verdict } from './line';
import { type AccountSlots, Resource, SharedSlots } from './resources';
import type { SlotRow } from './slot-row';

export interface StartsOptions<Row extends SlotRow<Row>> {
  readonly concurrency: number;
  /** Called when a resource may have more room. */
  readonly wake: (resource: Resource) => void;
  /** Called when a lane may proceed, whatever it waits for. */
  readonly wakeLane: (lane: Lane<Row>) => void;
}

/** Requests under way and claimed rows for which a start is reserved: what each takes, and what is overdue of them. */
export class Starts<Row extends SlotRow<Row>> {
  /** Requests under way. */
  inFlight = 0;
  /** Starts of all accounts. */
  readonly all: Resource;
  /** Of lanes that are slow or failing. */
  private readonly sparing: SharedSlots;
  /** Of lanes of which nothing is known. */
  private readonly trial: SharedSlots;
  /** Accounts that had to leave what is free to others, with a request under way. */
  private readonly narrowed = new Set<AccountSlots>();
  /** Requests under way by when they began, monotonic milliseconds, in that order; and those of them that are overdue. */
  private readonly underWay = new Map<Row, number>();
  private readonly overdue = new Set<Row>();
  /** The last time that was given, monotonic milliseconds. */
  private now = 0;

  constructor(private readonly options: StartsOptions<Row>) {
    const { concurrency } = options;
    this.all = new Resource(concurrency);
    this.sparing = new SharedSlots(Math.ceil(concurrency / 4));
    this.trial = new SharedSlots(Math.ceil(concurrency / 2));
  }

  /** What keeps a row of the lane from starting: the first resource without room. */
  blocker(lane: Lane<Row>): Resource | undefined {
    const { account, origin } = lane;
    if (account.starts.room <= 0) {
      // Nothing of its own ends that could wake an account without requests.
      if (account.starts.taken === 0) return this.all;
      if (account.starts.taken < account.starts.limit) this.narrowed.add(account);
      return account.starts;
    }
    if (origin.room <= 0) return origin;
    if (lane.room <= 0) return lane;
    if (lane.isQuick) return account.quickStarts.room > 0 ? undefined : account.quickStarts;
    const pool = this.poolOf(lane);
    return pool.hasRoomFor(account, origin) ? undefined : pool;
  }

  take(row: Row): void {
    const { lane } = row;
    const { account, origin } = lane;
    row.hasStart = true;
    this.all.taken++;
    account.starts.taken++;
    origin.taken++;
    lane.taken++;
    if (lane.isQuick) {
      account.quickStarts.take(this.now);
      return;
    }
    row.pool = this.poolOf(lane);
    row.pool.take(account, origin);
  }

  giveBack(row: Row): void {
    const { lane, pool } = row;
    const { account, origin } = lane;
    const { wake } = this.options;
    row.hasStart = false;
    row.pool = undefined;
    this.all.taken--;
    account.starts.taken--;
    origin.taken--;
    lane.taken--;
    if (pool === undefined) account.quickStarts.taken--;
    else pool.giveBack(account, origin);
    origin.endTurn(account);
    wake(this.all);
    wake(account.starts);
    wake(origin);
    wake(lane);
    wake(pool ?? account.quickStarts);
    if (this.narrowed.size > 0 && this.all.room * 2 >= this.all.limit) this.widen();
  }

  /** The row's request is under way. @param now monotonic milliseconds */
  begin(row: Row, now: number): void {
    this.now = now;
    this.inFlight++;
    this.underWay.set(row, now);
    if (!row.hasStart) this.take(row);
  }

  /** The row's request ended; its start is given back apart. @param now monotonic milliseconds */
  end(row: Row, verdict: Verdict, now: number): void {
    const { lane } = row;
    this.now = now;
    this.inFlight--;
    if (!this.underWay.delete(row) && this.overdue.delete(row)) lane.countOverdue(-1);
    if (verdict === 'answered') lane.account.quickStarts.answered(now);
  }

  /** Finds what is overdue, and lets accounts have more that left it to others. @param now monotonic milliseconds */
  sweep(now: number): void {
    this.now = now;
    for (const [row, begunAt] of this.underWay) {
      const { lane } = row;
      if (!lane.isOverdueAfter(now - begunAt)) continue;
      this.underWay.delete(row);
      this.overdue.add(row);
      const wasQuick = lane.isQuick;
      lane.countOverdue(1);
      lane.account.quickStarts.distrust();
      // Its rows wait for the slots of slow lanes now.
      if (wasQuick) this.options.wakeLane(lane);
    }
    this.widen();
    // No line waits for a pool that has room; this costs nothing and bounds a mistake.
    for (const pool of [this.sparing, this.trial]) this.options.wake(pool);
  }

  private widen(): void {
    for (const { starts } of this.narrowed) this.options.wake(starts);
    this.narrowed.clear();
  }

  /** What a lane that is not quick takes its starts from, besides its own. What one account finds slow says nothing of another. */
  private poolOf({ isKnown, origin }: Lane<Row>): SharedSlots {
    return isKnown || origin.isDown || origin.otherLanes > 1 ? this.sparing : this.trial;
  }
}
