import { isBefore, type WakePosition } from './entry';
import { beginning } from './frontier';
import { WakeHeap } from './wake-heap';

/** What a channel's memory knows of one account. */
export class AccountMemory {
  /** Entries in memory that are not emitted yet. */
  waiting = 0;
  /** Tuples that are emitted and not acked yet. */
  pending = 0;
  /** Woken entries that cannot be emitted because of the account: it is paused, or has as much pending as it may. */
  parked: WakeHeap | undefined = undefined;
  /** It overflowed: rows from here on are not kept, so that what is kept stays in order. They are read again later. */
  limit: WakePosition | undefined = undefined;
  /** No entry that waits is later than this. */
  private last: WakePosition = beginning;

  constructor(
    readonly name: string,
    readonly shard: number,
  ) {}

  /** False for rows at or beyond the limit. */
  admits(at: WakePosition): boolean {
    return this.limit === undefined || isBefore(at, this.limit);
  }

  /** True when `at` comes after everything that waits. */
  isLast(at: WakePosition): boolean {
    return isBefore(this.last, at);
  }

  added(at: WakePosition): void {
    if (this.waiting === 0 || isBefore(this.last, at)) this.last = at;
    this.waiting++;
  }

  park(): WakeHeap {
    this.parked ??= new WakeHeap();
    return this.parked;
  }

  get isBlocked(): boolean {
    return this.parked !== undefined && this.parked.size > 0;
  }
}

/** The accounts that have something in memory, or rows that did not fit into it. */
export class AccountMemories {
  /** Accounts with a limit. */
  readonly overflowed = new Set<AccountMemory>();
  private readonly accounts = new Map<string, AccountMemory>();

  of(name: string, shard: number): AccountMemory {
    let account = this.accounts.get(name);
    if (account === undefined) {
      account = new AccountMemory(name, shard);
      this.accounts.set(name, account);
    }
    return account;
  }

  get(name: string): AccountMemory | undefined {
    return this.accounts.get(name);
  }

  /** Rows of the account from `limit` on are not kept. */
  overflow(account: AccountMemory, limit: WakePosition): void {
    account.limit = { wakeAt: limit.wakeAt, id: limit.id };
    this.overflowed.add(account);
  }

  /** All rows of the account are kept again. */
  admitAll(account: AccountMemory): void {
    account.limit = undefined;
    this.overflowed.delete(account);
  }

  /** Forgets the account when nothing is known of it. */
  release(account: AccountMemory): void {
    if (account.waiting === 0 && account.pending === 0 && account.limit === undefined) {
      this.accounts.delete(account.name);
    }
  }

  /** Forgets the limits of accounts whose shard is not ours any more. */
  dropLimits(keeps: (shard: number) => boolean): void {
    for (const account of this.overflowed) {
      if (keeps(account.shard)) continue;
      this.admitAll(account);
      this.release(account);
    }
  }
}
