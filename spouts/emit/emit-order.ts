import type { AccountMemory } from '../memory/accounts';
import type { Entries } from '../memory/entries';
import type { Entry } from '../memory/entry';

/** Entries that one `take` looks at; parking very many of them in one go would hold up the process. */
const MAX_LOOKED_AT = 10_000;
/** Looks at blocked accounts in one `take`, for the same reason. */
const MAX_BLOCKED_LOOKED_AT = 10_000;

/** Chooses what is emitted next: in (wake, id) order, past accounts that are paused or have as much pending as they may. */
export class EmitOrder {
  /** True when `take` stopped early, so that there may be more to take although it brought less than `count`. */
  unfinished = false;
  /** Blocked accounts that have not been looked at since they are to be looked at again. */
  private unseen = 0;
  /** The one among them whose turn it is. */
  private current: AccountMemory | undefined;

  constructor(
    private readonly entries: Entries,
    private readonly mayEmit: (account: AccountMemory) => boolean,
  ) {}

  /** Something was acked, or a pause may be over: the next `take` looks at the blocked accounts again. */
  reconsider(): void {
    this.unseen = this.entries.parked.accounts;
  }

  /** Up to `count` entries that wake at `instant` or before; they are pending from now on. */
  take(instant: number, count: number): Entry[] {
    const { entries } = this;
    const taken = this.takeParked(count);
    let looked = 0;
    for (; looked < MAX_LOOKED_AT && taken.length < count; looked++) {
      const entry = entries.buckets.peek(instant);
      if (entry === undefined) break;
      entries.buckets.pop();
      if (entries.parked.blocks(entry.account) || !this.mayEmit(entry.account)) {
        entries.parked.park(entry);
        continue;
      }
      entries.emitted(entry);
      taken.push(entry);
    }
    this.unfinished = looked === MAX_LOOKED_AT || this.unseen > 0;
    return taken;
  }

  /** Goes on where the last call has ended, because the accounts are to be looked at again before all of very many have been. */
  private takeParked(count: number): Entry[] {
    const { entries } = this;
    const taken: Entry[] = [];
    for (let looked = 0; looked < MAX_BLOCKED_LOOKED_AT && this.unseen > 0 && taken.length < count; looked++) {
      this.current ??= entries.parked.next();
      const account = this.current;
      if (account === undefined) break;
      const entry = this.mayEmit(account) ? entries.parked.pop(account) : undefined;
      if (entry === undefined) {
        entries.parked.release(account);
        this.current = undefined;
        this.unseen--;
        continue;
      }
      entries.emitted(entry);
      taken.push(entry);
    }
    this.unseen = Math.min(this.unseen, entries.parked.accounts);
    return taken;
  }
}
