import { Entries } from '../../../spouts/memory/entries';
import { shards } from '../../../spouts/memory/frontier';

const MAX_ENTRIES = 4_000;
const MAX_WAITING = 1_000;
const FAR = 1_000_000;

const row = (id: number, account: string, wakeAt: number) =>
  ({ id, shard: 0, account, channel: 'webhook', wakeAt, version: 1, deleted: false, committedAt: 0 }) as const;

test('an account whose rows come from the last to the first costs few looks at the whole memory, also when that is full', () => {
  const entries = new Entries(MAX_ENTRIES, MAX_WAITING);
  entries.assign(() => true, true);
  entries.frontier.move(2 * FAR);
  for (let shard = 0; shard < shards; shard++) {
    entries.frontier.advance({ shard, afterWake: Number.MIN_SAFE_INTEGER, afterId: 0 }, { wakeAt: 2 * FAR, id: 0 });
  }
  // Blocked accounts fill the memory, so that each may have little of it.
  const blocked = Array.from({ length: 20 }, (_, n) => `blocked-${n}`);
  let id = 0;
  for (const account of blocked) {
    for (let n = 0; n < MAX_ENTRIES / blocked.length; n++) entries.merge(row(++id, account, n), false, 0);
  }
  for (let entry = entries.buckets.peek(FAR); entry !== undefined; entry = entries.buckets.peek(FAR)) {
    entries.buckets.pop();
    entries.parked.park(entry);
  }
  expect(entries.bound.hasRoom()).toBe(true);
  let looks = 0;
  const waitingOf = entries.waitingOf.bind(entries);
  entries.waitingOf = (isChosen) => {
    looks++;
    return waitingOf(isChosen);
  };
  for (let n = 0; n < 3 * MAX_WAITING; n++) entries.merge(row(++id, 'one', 2 * FAR - 1 - n), false, 0);
  expect(looks).toBeLessThan(10);
  expect(entries.accounts.get('one')?.waiting).toBeLessThanOrEqual(1.5 * MAX_WAITING);
});
