import type { ScheduleChange } from '../../topology/streams';
import type { OpenRow } from '../open-rows';
import { AccountMemories, type AccountMemory } from './accounts';
import { BUCKET_MS, Buckets } from './buckets';
import { ChangedMeanwhile } from './changed-meanwhile';
import { Entry, type Plan } from './entry';
import { Frontier, shards } from './frontier';
import { type BoundedMemory, MemoryBound } from './memory-bound';
import { ParkedEntries } from './parked';
import { byPosition } from './position';

/** The near future of one channel in memory: the plans below the frontier, waiting or pending. */
export class Entries implements BoundedMemory {
  readonly frontier = new Frontier();
  readonly accounts = new AccountMemories();
  readonly buckets = new Buckets(BUCKET_MS);
  readonly parked = new ParkedEntries();
  readonly changedMeanwhile = new ChangedMeanwhile();
  readonly bound: MemoryBound;
  waiting = 0;
  pending = 0;
  /** The newest plan known of a row; earlier plans of it that are still pending hang on it. */
  private readonly byId = new Map<number, Entry>();

  constructor(maxEntries: number, maxWaitingPerAccount: number) {
    this.bound = new MemoryBound(this, maxEntries, maxWaitingPerAccount);
  }

  get size(): number {
    return this.waiting + this.pending;
  }

  /**
   * Merges an event by version. A stale event adds no entry. If the row wakes later, the frontier steps back so that it is
   * read again; if it is overdue, reconcile finds it.
   * @param now epoch milliseconds, by the database's clock
   */
  merge(change: ScheduleChange, isStale: boolean, now: number): void {
    const { id, version, shard } = change;
    if (!this.frontier.owns(shard)) return;
    this.changedMeanwhile.learn(id, version);
    const known = this.byId.get(id);
    if (known !== undefined) {
      if (version < known.version) return;
      if (version === known.version && change.wakeAt === known.wakeAt && !change.deleted) return;
      if (!known.pending) this.remove(known);
    }
    if (change.wakeAt === null || change.deleted) return;
    const plan = change as Plan;
    if (!this.frontier.covers(shard, plan)) return;
    if (!isStale) this.add(plan);
    else if (plan.wakeAt > now) this.frontier.retreat(shard, plan);
  }

  /** The row moved to another channel, or is being sent: in this version or an older one it does not wait here. */
  forget(id: number, version: number): void {
    this.changedMeanwhile.learn(id, version);
    const known = this.byId.get(id);
    if (known !== undefined && !known.pending && known.version <= version) this.remove(known);
  }

  /** Takes a row that was read as scheduled. It replaces what memory held of it, unless that is the same plan. */
  load(row: OpenRow): void {
    if (!this.frontier.passed(row.shard, row)) return;
    const known = this.byId.get(row.id);
    let same = known;
    while (same !== undefined && (same.version !== row.version || same.wakeAt !== row.wakeAt)) same = same.other;
    if (known !== undefined && known !== same && !known.pending) this.remove(known);
    if (same === undefined) this.add(row);
  }

  /** The entry is about to be emitted; it was taken out of its home. */
  emitted(entry: Entry): void {
    entry.pending = true;
    entry.account.waiting--;
    entry.account.pending++;
    this.waiting--;
    this.pending++;
  }

  /** The entry's tuple is acked, or is not in Kafka: it is not pending any more. */
  acked(entry: Entry): void {
    if (!entry.pending) return;
    entry.pending = false;
    entry.account.pending--;
    this.pending--;
    this.unlink(entry);
    this.changedMeanwhile.learn(entry.id, entry.version);
    this.accounts.release(entry.account);
  }

  /** True when the entry is pending and still the newest plan known of its row. */
  isCurrent(entry: Entry): boolean {
    return entry.pending && this.byId.get(entry.id) === entry;
  }

  /**
   * The spout owns exactly the shards for which `owns` holds. Memory drops the entries of all others.
   * @param startOver drops what waits in the shards that stay, too, so that it is read again
   */
  assign(owns: (shard: number) => boolean, startOver: boolean): void {
    for (let shard = 0; shard < shards; shard++) {
      const owned = this.frontier.owns(shard);
      if (!owns(shard) && owned) this.frontier.disown(shard);
      if (owns(shard) && (!owned || startOver)) this.frontier.own(shard);
    }
    for (const known of this.byId.values()) {
      if (owns(known.shard)) {
        if (startOver && !known.pending) this.remove(known);
      } else this.drop(known);
    }
    this.accounts.dropLimits((shard) => !startOver && owns(shard));
  }

  remove(entry: Entry): void {
    const { home } = entry;
    entry.home = undefined;
    home?.left();
    entry.account.waiting--;
    this.waiting--;
    this.unlink(entry);
    this.accounts.release(entry.account);
  }

  waitingOf(isChosen: (account: AccountMemory) => boolean): Entry[] {
    const waiting: Entry[] = [];
    for (const entry of this.byId.values()) if (!entry.pending && isChosen(entry.account)) waiting.push(entry);
    return waiting.toSorted(byPosition);
  }

  private add(plan: Plan): void {
    const account = this.accounts.of(plan.account, plan.shard);
    if (!this.bound.admits(account, plan)) return;
    const entry = new Entry(plan, account);
    entry.other = this.byId.get(plan.id);
    this.byId.set(plan.id, entry);
    account.added(plan);
    this.waiting++;
    this.buckets.add(entry);
    this.bound.added(account);
  }

  /** Forgets all plans of the row, the pending ones too. */
  private drop(known: Entry): void {
    for (let entry: Entry | undefined = known; entry !== undefined; entry = entry.other) {
      if (entry.pending) this.acked(entry);
      else this.remove(entry);
    }
  }

  private unlink(entry: Entry): void {
    let known = this.byId.get(entry.id);
    if (known === entry) {
      if (entry.other === undefined) this.byId.delete(entry.id);
      else this.byId.set(entry.id, entry.other);
      return;
    }
    while (known !== undefined && known.other !== entry) known = known.other;
    if (known !== undefined) known.other = entry.other;
  }
}
