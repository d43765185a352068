import type { ScheduleChange } from '../../topology/streams';
import type { OpenRow } from '../open-rows';
import { AccountMemories, type AccountMemory } from './accounts';
import { Buckets } from './buckets';
import { ChangedMeanwhile } from './changed-meanwhile';
import { byPosition, Entry, type Plan, type WakePosition } from './entry';
import { Frontier, shards } from './frontier';

/** Width of a bucket, milliseconds. */
export const bucketWidth = 5_000;
/** Events may take memory this far past its bound before the latest entries are dropped in one go. */
const SLACK = 1.1;
/** Memory that was full has room again when it is filled to this part. */
const ROOM = 0.75;
/** An account may always have this many entries. */
const LEAST_SHARE = 16;

/**
 * The near future of one channel in memory: the plans below the frontier, waiting or pending, at most `maxEntries` (and a
 * tenth) of them, at most about `maxPerAccount` waiting ones of an account.
 */
export class Entries {
  readonly frontier = new Frontier();
  readonly accounts = new AccountMemories();
  readonly buckets = new Buckets(bucketWidth);
  readonly news = new ChangedMeanwhile();
  /** Accounts with woken entries that had to be parked. */
  readonly blocked = new Set<AccountMemory>();
  waiting = 0;
  pending = 0;
  /** The newest plan known of a row; plans before it that are still pending hang on it. */
  private readonly byId = new Map<number, Entry>();
  /** Waiting entries that an account may have; less than `maxPerAccount` while blocked accounts fill the memory. */
  private share: number;
  private full = false;

  constructor(
    private readonly maxEntries: number,
    private readonly maxPerAccount: number,
  ) {
    this.share = maxPerAccount;
  }

  get size(): number {
    return this.waiting + this.pending;
  }

  /**
   * Merges an event by version. One that `isOld` is not emitted from: the row is read again before its wake, or when it is
   * overdue found by reconciling.
   * @param now epoch milliseconds, by the database's clock
   */
  merge(change: ScheduleChange, isOld: boolean, now: number): void {
    const { id, version, shard } = change;
    if (!this.frontier.owns(shard)) return;
    this.news.learn(id, version);
    const known = this.byId.get(id);
    if (known !== undefined) {
      if (version < known.version) return;
      if (version === known.version && change.wakeAt === known.wakeAt && !change.deleted) return;
      if (!known.pending) this.remove(known);
    }
    if (change.wakeAt === null || change.deleted) return;
    const plan = change as Plan;
    if (!this.frontier.covers(shard, plan)) return;
    if (!isOld) this.add(plan);
    else if (plan.wakeAt > now) this.frontier.retreat(shard, plan);
  }

  /** The row moved to another channel, or is being sent: in this version or an older one it does not wait here. */
  forget(id: number, version: number): void {
    this.news.learn(id, version);
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

  /** The entry's tuple is dealt with, or lost: it is not pending any more. */
  acked(entry: Entry): void {
    if (!entry.pending) return;
    entry.pending = false;
    entry.account.pending--;
    this.pending--;
    this.unlink(entry);
    this.news.learn(entry.id, entry.version);
    this.accounts.release(entry.account);
  }

  /** True when the entry is still what is known of its row, and pending. */
  isCurrent(entry: Entry): boolean {
    return entry.pending && this.byId.get(entry.id) === entry;
  }

  park(entry: Entry): void {
    entry.account.park().push(entry);
    this.blocked.add(entry.account);
  }

  /** False from when memory is full until a quarter of it is free again. */
  hasRoom(): boolean {
    if (this.size >= this.maxEntries) {
      this.full = true;
      this.relieve();
    }
    if (this.size <= this.maxEntries / 2) this.share = Math.min(this.maxPerAccount, this.share * 2);
    if (this.size <= this.maxEntries * ROOM) this.full = false;
    return !this.full;
  }

  /** An overflowed account whose rows are wanted again: it is not paused, and most of what it had waiting is emitted. */
  hungry(isPaused: (account: AccountMemory) => boolean): AccountMemory | undefined {
    for (const account of this.accounts.overflowed) {
      if (account.waiting * 2 <= this.share && !isPaused(account)) return account;
    }
    return undefined;
  }

  /** Keeps nothing of the account from `limit` on. */
  overflow(account: AccountMemory, limit: WakePosition): void {
    this.accounts.overflow(account, limit);
    for (const entry of this.waitingOf((one) => one === account)) if (!account.admits(entry)) this.remove(entry);
  }

  /** Owns exactly the shards that `owns` names. What is not ours is dropped; `afresh`: what waits is read again. */
  assign(owns: (shard: number) => boolean, afresh: boolean): void {
    for (let shard = 0; shard < shards; shard++) {
      const owned = this.frontier.owns(shard);
      if (!owns(shard) && owned) this.frontier.disown(shard);
      if (owns(shard) && (!owned || afresh)) this.frontier.own(shard);
    }
    for (const known of this.byId.values()) {
      if (owns(known.shard)) {
        if (afresh && !known.pending) this.remove(known);
      } else this.drop(known);
    }
    this.accounts.dropLimits((shard) => !afresh && owns(shard));
  }

  private add(plan: Plan): void {
    const account = this.accounts.of(plan.account, plan.shard);
    if (!account.admits(plan)) return;
    if (account.waiting >= this.share && account.isLast(plan)) {
      this.accounts.overflow(account, plan);
      return;
    }
    const entry = new Entry(plan, account);
    entry.other = this.byId.get(plan.id);
    this.byId.set(plan.id, entry);
    account.added(plan);
    this.waiting++;
    this.buckets.add(entry);
    if (account.waiting > this.share * 1.5)
      this.keepFirst(
        account,
        this.waitingOf((one) => one === account),
        this.share,
      );
    if (this.size > this.maxEntries * SLACK) this.shrink();
  }

  private remove(entry: Entry): void {
    const { home } = entry;
    entry.home = undefined;
    home?.left();
    entry.account.waiting--;
    this.waiting--;
    this.unlink(entry);
    this.accounts.release(entry.account);
  }

  /** Forgets all that is known of the row, what is pending too. */
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

  /** The waiting entries of the accounts chosen, in order. */
  private waitingOf(chosen: (account: AccountMemory) => boolean): Entry[] {
    const waiting: Entry[] = [];
    for (const entry of this.byId.values()) if (!entry.pending && chosen(entry.account)) waiting.push(entry);
    return waiting.toSorted(byPosition);
  }

  private keepFirst(account: AccountMemory, waiting: readonly Entry[], count: number): void {
    const first = waiting[count];
    if (first === undefined) return;
    this.accounts.overflow(account, first);
    for (const entry of waiting.slice(count)) this.remove(entry);
  }

  /** Full: blocked accounts give up memory, those that have most of it, so that the others do not feel them. */
  private relieve(): void {
    const accounts = [...this.blocked].filter((account) => account.isBlocked);
    const excess = () => accounts.reduce((total, { waiting }) => total + Math.max(0, waiting - this.share), 0);
    while (this.share > LEAST_SHARE && this.size - excess() > this.maxEntries * ROOM) this.share = this.share >> 1;
    if (excess() === 0) return;
    const waiting = new Map<AccountMemory, Entry[]>(accounts.map((account) => [account, []]));
    for (const entry of this.waitingOf((account) => waiting.has(account))) waiting.get(entry.account)?.push(entry);
    for (const [account, entries] of waiting) this.keepFirst(account, entries, this.share);
  }

  /** Overfull: the latest entries are dropped, and the frontier goes back to before them. */
  private shrink(): void {
    this.full = true;
    this.relieve();
    const dropped = this.waitingOf(() => true).slice(Math.max(0, this.maxEntries - this.pending));
    if (dropped[0] === undefined) return;
    this.frontier.stop();
    this.frontier.retreatAll(dropped[0]);
    for (const entry of dropped) this.remove(entry);
  }
}
