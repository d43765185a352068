import type { AccountMemories, AccountMemory } from './accounts';
import type { Entry } from './entry';
import type { Frontier } from './frontier';
import type { ParkedEntries } from './parked';
import type { WakePosition } from './position';

/** Events may fill memory to this many times its bound before the latest entries are dropped in one go. */
const MAX_OVERFILL = 1.1;
/** Memory that was full has room again when it is filled to this part. */
const ROOM_AGAIN_AT = 0.75;
/**
 * Events may give an account so much more than its bound, as a part of what it usually is, before its latest entries are dropped in one go:
 * finding them takes a look at the whole memory, also while the bound is small because memory is full.
 */
const MAX_ACCOUNT_OVERFILL = 0.5;
/** Every account may have this many waiting entries, however full memory is. */
const MIN_WAITING_PER_ACCOUNT = 16;

/** The memory that is bounded. */
export interface BoundedMemory {
  /** Entries in memory, waiting or pending. */
  readonly size: number;
  readonly pending: number;
  readonly accounts: AccountMemories;
  readonly parked: ParkedEntries;
  readonly frontier: Frontier;
  /** The waiting entries of the accounts chosen, in (wake, id) order. */
  waitingOf(isChosen: (account: AccountMemory) => boolean): Entry[];
  /** Drops a waiting entry. */
  remove(entry: Entry): void;
}

/**
 * Keeps a channel's memory within `maxEntries` (and a tenth), and the waiting entries of an account within about
 * `maxWaitingPerAccount`. What does not fit is dropped from the end, so that what stays is in order, and is read again when
 * there is room.
 */
export class MemoryBound {
  /** Less than `maxWaitingPerAccount` while blocked accounts fill the memory. */
  private maxWaiting: number;
  private isFull = false;

  constructor(
    private readonly memory: BoundedMemory,
    private readonly maxEntries: number,
    private readonly maxWaitingPerAccount: number,
  ) {
    this.maxWaiting = maxWaitingPerAccount;
  }

  /** False from when memory is full until a quarter of it is free again. */
  hasRoom(): boolean {
    const { memory, maxEntries } = this;
    if (memory.size >= maxEntries) {
      this.isFull = true;
      this.relieve();
    }
    if (memory.size <= maxEntries / 2) this.maxWaiting = Math.min(this.maxWaitingPerAccount, this.maxWaiting * 2);
    if (memory.size <= maxEntries * ROOM_AGAIN_AT) this.isFull = false;
    return !this.isFull;
  }

  /** An overflowed account that has room for rows again: it is not paused, and most of its waiting entries are emitted. */
  accountWithRoom(isPaused: (account: AccountMemory) => boolean): AccountMemory | undefined {
    for (const account of this.memory.accounts.overflowed) {
      if (account.waiting * 2 <= this.maxWaiting && !isPaused(account)) return account;
    }
    return undefined;
  }

  /** False when the account overflows with this row, which comes after all that it has waiting, or overflowed before it. */
  admits(account: AccountMemory, at: WakePosition): boolean {
    if (!account.admits(at)) return false;
    if (account.waiting < this.maxWaiting || !account.isLast(at)) return true;
    this.memory.accounts.overflow(account, at);
    return false;
  }

  /** An entry of the account was added. */
  added(account: AccountMemory): void {
    const { memory } = this;
    if (account.waiting > this.maxWaiting + this.maxWaitingPerAccount * MAX_ACCOUNT_OVERFILL) {
      this.keepFirst(
        account,
        memory.waitingOf((one) => one === account),
      );
    }
    if (memory.size > this.maxEntries * MAX_OVERFILL) this.shrink();
  }

  /** Keeps nothing of the account from `limit` on. */
  overflow(account: AccountMemory, limit: WakePosition): void {
    const { memory } = this;
    memory.accounts.overflow(account, limit);
    for (const entry of memory.waitingOf((one) => one === account)) if (!account.admits(entry)) memory.remove(entry);
  }

  private keepFirst(account: AccountMemory, waiting: readonly Entry[]): void {
    const first = waiting[this.maxWaiting];
    if (first === undefined) return;
    this.memory.accounts.overflow(account, first);
    for (const entry of waiting.slice(this.maxWaiting)) this.memory.remove(entry);
  }

  /** Memory is full: the blocked accounts that have most of it give it up, so that the others do not notice them. */
  private relieve(): void {
    const { memory, maxEntries } = this;
    const accounts = memory.parked.blockedAccounts().filter((account) => memory.parked.blocks(account));
    const excess = () => accounts.reduce((total, { waiting }) => total + Math.max(0, waiting - this.maxWaiting), 0);
    while (this.maxWaiting > MIN_WAITING_PER_ACCOUNT && memory.size - excess() > maxEntries * ROOM_AGAIN_AT) {
      this.maxWaiting = this.maxWaiting >> 1;
    }
    if (excess() === 0) return;
    const waiting = new Map<AccountMemory, Entry[]>(accounts.map((account) => [account, []]));
    for (const entry of memory.waitingOf((account) => waiting.has(account))) waiting.get(entry.account)?.push(entry);
    for (const [account, entries] of waiting) this.keepFirst(account, entries);
  }

  /** Memory is overfull: the latest entries are dropped, and the frontier moves back to before them. */
  private shrink(): void {
    const { memory } = this;
    this.isFull = true;
    this.relieve();
    const dropped = memory.waitingOf(() => true).slice(Math.max(0, this.maxEntries - memory.pending));
    if (dropped[0] === undefined) return;
    memory.frontier.stop();
    memory.frontier.retreatAll(dropped[0]);
    for (const entry of dropped) memory.remove(entry);
  }
}
