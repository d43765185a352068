import type { AccountMemory } from './accounts';
import type { Entry } from './entry';
import { WakeHeap } from './wake-heap';

/** Woken entries that their account keeps from being emitted: it is paused, or has as much pending as it may. */
export class ParkedEntries {
  private readonly heaps = new Map<AccountMemory, WakeHeap>();
  /** Where `next` is. What is added comes at the end, and what is removed is passed over. */
  private round = this.heaps.keys();

  /** How many accounts have parked entries. */
  get accounts(): number {
    return this.heaps.size;
  }

  park(entry: Entry): void {
    let heap = this.heaps.get(entry.account);
    if (heap === undefined) {
      heap = new WakeHeap();
      this.heaps.set(entry.account, heap);
    }
    heap.push(entry);
  }

  /** True when entries of the account are parked. No later entry of it may overtake them. */
  blocks(account: AccountMemory): boolean {
    return (this.heaps.get(account)?.size ?? 0) > 0;
  }

  /** Takes out the account's first parked entry. */
  pop(account: AccountMemory): Entry | undefined {
    return this.heaps.get(account)?.pop();
  }

  /** Forgets the account when none of its entries is parked any more. */
  release(account: AccountMemory): void {
    if (!this.blocks(account)) this.heaps.delete(account);
  }

  /** The accounts in turn, and then from the beginning; undefined when there is none. */
  next(): AccountMemory | undefined {
    const next = this.round.next();
    if (next.done !== true) return next.value;
    this.round = this.heaps.keys();
    return this.round.next().value;
  }

  /** All of them, for when memory is full. */
  blockedAccounts(): AccountMemory[] {
    return [...this.heaps.keys()];
  }
}
