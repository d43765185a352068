import { EmitOrder } from '../../../spouts/emit/emit-order';
import type { AccountMemory } from '../../../spouts/memory/accounts';
import { Entries } from '../../../spouts/memory/entries';
import type { Entry } from '../../../spouts/memory/entry';

const ACCOUNTS = 30_000;
/** More than one call of `take` may look at. */
const MOST_LOOKS = 20_000;

let entries: Entries;
let isBlocked: (account: AccountMemory) => boolean;
let looks: AccountMemory[] = [];
let order: EmitOrder;

/** Two messages of each account; the second ones wake after all first ones. */
beforeEach(() => {
  entries = new Entries(200_000, 2_000);
  entries.assign(() => true, true);
  entries.frontier.move(1e13);
  for (const cursor of entries.frontier.behind(1e13)) entries.frontier.advance(cursor, { wakeAt: 1e13, id: 0 });
  for (let id = 1; id <= 2 * ACCOUNTS; id++) {
    const account = `a${id % ACCOUNTS}`;
    const row = { id, account, channel: 'webhook', shard: id % 256, wakeAt: 1_000, version: 1 } as const;
    entries.load({ ...row, state: 'scheduled', session: null });
  }
  looks = [];
  isBlocked = () => true;
  order = new EmitOrder(entries, (account) => {
    looks.push(account);
    return !isBlocked(account);
  });
});

function take(count = 1_000): Entry[] {
  looks = [];
  return order.take(2_000, count);
}

function parkAll(): void {
  for (let calls = 1; calls === 1 || order.unfinished; calls++) expect([take(), calls < 100]).toEqual([[], true]);
}

test('of very many blocked accounts each is looked at again, some at each call', () => {
  parkAll();
  expect(entries.parked.accounts).toBe(ACCOUNTS);
  order.reconsider();
  const seen = new Set<AccountMemory>();
  for (let calls = 1; calls === 1 || order.unfinished; calls++) {
    expect([take(), calls < 100]).toEqual([[], true]);
    expect(looks.length).toBeLessThan(MOST_LOOKS);
    for (const account of looks) seen.add(account);
  }
  expect(seen.size).toBe(ACCOUNTS);
  take();
  expect(looks).toEqual([]);
});

test('none is passed over where they are to be looked at again before all have been', () => {
  parkAll();
  const seen = new Set<AccountMemory>();
  for (let calls = 0; calls < 10 && seen.size < ACCOUNTS; calls++) {
    order.reconsider();
    take();
    for (const account of looks) seen.add(account);
  }
  expect(seen.size).toBe(ACCOUNTS);
});

test('what is not blocked any more is taken once, each account in its order', () => {
  parkAll();
  isBlocked = ({ name }) => name.endsWith('7');
  order.reconsider();
  const taken: Entry[] = [];
  for (let some = take(); some.length > 0 || order.unfinished; some = take()) {
    expect(some.length).toBeLessThanOrEqual(1_000);
    taken.push(...some);
  }
  expect(taken).toHaveLength(2 * 0.9 * ACCOUNTS);
  expect(new Set(taken).size).toBe(taken.length);
  const last = new Map<string, number>();
  for (const { id, account } of taken) {
    expect(id).toBeGreaterThan(last.get(account.name) ?? 0);
    last.set(account.name, id);
  }
  expect(entries.parked.accounts).toBe(0.1 * ACCOUNTS);
});

test('what wakes is taken although very many blocked accounts are to be looked at', () => {
  parkAll();
  entries.load({
    id: 99_999,
    account: 'new',
    channel: 'webhook',
    shard: 1,
    wakeAt: 1_500,
    version: 1,
    state: 'scheduled',
    session: null,
  });
  isBlocked = ({ name }) => name !== 'new';
  order.reconsider();
  expect(take().map(({ id }) => id)).toEqual([99_999]);
  expect(order.unfinished).toBe(true);
});
