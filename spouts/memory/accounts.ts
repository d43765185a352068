import type { KeyPlace } from '../../topology/core/spout';
import { beginning, isBefore, type WakePosition } from './position';

/** What a channel's memory knows of one account. */
export class AccountMemory implements KeyPlace {
  /** Entries in memory that are not emitted yet. */
  waiting = 0;
  /** Tuples that are emitted and not acked yet. */
  pending = 0;
  /**
   * Set when the account overflowed: memory keeps no row of it from here on, so that what it keeps stays in order. The
   * spout reads these rows again later.
   */
  limit: WakePosition | undefined = undefined;
  partitions = 0;
  partition = 0;
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

  /** Memory keeps no row of the account from `limit` on. */
  overflow(account: AccountMemory, limit: WakePosition): void {
    account.limit = { wakeAt: limit.wakeAt, id: limit.id };
    this.overflowed.add(account);
  }

  /** Memory keeps all rows of the account again. */
  admitAll(account: AccountMemory): void {
    account.limit = undefined;
    this.overflowed.delete(account);
  }

  /** Forgets the account when it has nothing in memory and no limit. */
  release(account: AccountMemory): void {
    if (account.waiting === 0 && account.pending === 0 && account.limit === undefined) {
      this.accounts.delete(account.name);
    }
  }

  /** Forgets the limits of accounts whose shard does not stay. */
  dropLimits(stays: (shard: number) => boolean): void {
    for (const account of this.overflowed) {
      if (stays(account.shard)) continue;
      this.admitAll(account);
      this.release(account);
    }
  }
}
