import type { AccountMemory } from '../memory/accounts';
import type { Entries } from '../memory/entries';
import type { Entry } from '../memory/entry';

/** Entries looked at in one go; parking many must not hold up the process. */
const LOOK = 10_000;

/** Chooses what is emitted next: in (wake, id) order, past accounts that are paused or have as much pending as they may. */
export class EmitOrder {
  /** There may be more to take, although `take` brought less than was asked for. */
  unfinished = false;
  private candidates: AccountMemory[] = [];

  constructor(
    private readonly entries: Entries,
    private readonly mayEmit: (account: AccountMemory) => boolean,
  ) {}

  /** Blocked accounts are looked at again: something was acked, or a pause may be over. */
  reconsider(): void {
    if (this.entries.blocked.size > 0) this.candidates = [...this.entries.blocked];
  }

  /** Up to `count` entries that wake at `instant` or before; they are pending from now on. */
  take(instant: number, count: number): Entry[] {
    const { entries } = this;
    const taken: Entry[] = [];
    while (taken.length < count) {
      const entry = this.unparked();
      if (entry === undefined) break;
      entries.emitted(entry);
      taken.push(entry);
    }
    let looked = 0;
    for (; looked < LOOK && taken.length < count; looked++) {
      const entry = entries.buckets.peek(instant);
      if (entry === undefined) break;
      entries.buckets.pop();
      if (entry.account.isBlocked || !this.mayEmit(entry.account)) {
        entries.park(entry);
        continue;
      }
      entries.emitted(entry);
      taken.push(entry);
    }
    this.unfinished = looked === LOOK;
    return taken;
  }

  private unparked(): Entry | undefined {
    for (let account = this.candidates.at(-1); account !== undefined; account = this.candidates.at(-1)) {
      const entry = this.mayEmit(account) ? account.parked?.pop() : undefined;
      if (entry !== undefined) return entry;
      this.candidates.pop();
      if (!account.isBlocked) this.entries.blocked.delete(account);
    }
    return undefined;
  }
}
