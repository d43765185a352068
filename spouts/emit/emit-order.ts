import type { AccountMemory } from '../memory/accounts';
import type { Entries } from '../memory/entries';
import type { Entry } from '../memory/entry';

/** Entries that one `take` looks at; parking very many of them in one go would hold up the process. */
const MAX_LOOKED_AT = 10_000;

/** Chooses what is emitted next: in (wake, id) order, past accounts that are paused or have as much pending as they may. */
export class EmitOrder {
  /** True when `take` stopped early, so that there may be more to take although it brought less than `count`. */
  unfinished = false;
  /** Blocked accounts of which an entry may be emitted again. */
  private candidates: AccountMemory[] = [];

  constructor(
    private readonly entries: Entries,
    private readonly mayEmit: (account: AccountMemory) => boolean,
  ) {}

  /** Something was acked, or a pause may be over: the next `take` looks at the blocked accounts again. */
  reconsider(): void {
    const { parked } = this.entries;
    if (parked.accounts > 0) this.candidates = parked.blockedAccounts();
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
    this.unfinished = looked === MAX_LOOKED_AT;
    return taken;
  }

  private unparked(): Entry | undefined {
    const { parked } = this.entries;
    for (let account = this.candidates.at(-1); account !== undefined; account = this.candidates.at(-1)) {
      const entry = this.mayEmit(account) ? parked.pop(account) : undefined;
      if (entry !== undefined) return entry;
      this.candidates.pop();
      parked.release(account);
    }
    return undefined;
  }
}
