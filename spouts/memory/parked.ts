import type { AccountMemory } from './accounts';
import type { Entry } from './entry';
import { WakeHeap } from './wake-heap';

/** Woken entries that their account keeps from being emitted: it is paused, or has as much pending as it may. */
export class ParkedEntries {
  private readonly heaps = new Map<AccountMemory, WakeHeap>();

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

  blockedAccounts(): AccountMemory[] {
    return [...this.heaps.keys()];
  }
}
