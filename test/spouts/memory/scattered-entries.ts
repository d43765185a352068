import { AccountMemory } from '../../../spouts/memory/accounts';
import { Entry } from '../../../spouts/memory/entry';

const account = new AccountMemory('a', 1);

export function entry(id: number, wakeAt: number): Entry {
  return new Entry({ id, wakeAt, version: 1, shard: 1, account: 'a' }, account);
}

/** Entries with the ids from 0 on, whose wakes lie within 5 s in no order. */
export function scattered(count: number): Entry[] {
  return Array.from({ length: count }, (_, index) => entry(index, (index * 7_919) % 5_000));
}

/** Takes the entry out of its home. */
export function leave(one: Entry): void {
  const { home } = one;
  one.home = undefined;
  home?.left();
}
