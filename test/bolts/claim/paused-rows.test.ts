import { PausedRows } from '../../../bolts/claim/paused-rows';
import type { HeldRow } from '../../../bolts/held-row';

const isPaused = new Set<string>();
let paused: PausedRows;

beforeEach(() => {
  isPaused.clear();
  paused = new PausedRows((account) => isPaused.has(account));
});

function add(account: string, count: number, since = 0): void {
  isPaused.add(account);
  for (let n = 0; n < count; n++) paused.add({ account, since, at: 0, id: n } as HeldRow);
}

/** Wakes behind all others of its account. */
const last = (account: string) => ({ account, at: 1, id: 0 }) as HeldRow;

/** How many rows of which account one call takes up. */
function takeUp(): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { account } of paused.takeResumed()) counts[account] = (counts[account] ?? 0) + 1;
  return counts;
}

test('whole accounts are taken up, so many rows at a time that nothing else waits long', () => {
  for (const account of ['a', 'b', 'c', 'large', 'd']) add(account, account === 'large' ? 5_000 : 900);
  add('stays', 10);
  for (const account of ['a', 'b', 'c', 'large', 'd']) isPaused.delete(account);
  expect(takeUp()).toEqual({ a: 900, b: 900 });
  expect([paused.hasMore(), paused.hasMore()]).toEqual([true, false]);
  expect(['b', 'c', 'stays'].map((account) => paused.wouldPass(last(account)))).toEqual([false, true, true]);
  expect(takeUp()).toEqual({ c: 900 });
  // Nothing passes what is left of it, and it is the next one's turn after it.
  for (const count of [2_000, 2_000]) {
    expect(takeUp()).toEqual({ large: count });
    expect([paused.hasMore(), paused.wouldPass(last('large'))]).toEqual([true, true]);
  }
  expect(takeUp()).toEqual({ large: 1_000, d: 900 });
  expect(paused.hasMore()).toBe(false);
  expect(takeUp()).toEqual({});
});

test('what is resumed and about to be taken up is not dropped for its age, nor for room', () => {
  add('stays', 1, 5);
  add('resumed', 1, 5);
  isPaused.delete('resumed');
  expect(paused.takeSince(10).map(({ account }) => account)).toEqual(['stays']);
  expect(takeUp()).toEqual({ resumed: 1 });
});

test('an account is taken up in wake order, whatever the order in which its rows came', () => {
  isPaused.add('a');
  const rows = Array.from(
    { length: 3_000 },
    (_, n) => ({ account: 'a', since: 0, at: (n * 7) % 3_000, id: n }) as HeldRow,
  );
  for (const row of rows) paused.add(row);
  // Gone, and here again.
  for (const row of rows.slice(0, 100)) paused.remove(row);
  for (const row of rows.slice(50, 100)) paused.add(row);
  isPaused.delete('a');
  const taken = [...paused.takeResumed(), ...paused.takeResumed()];
  expect(taken.map(({ at }) => at)).toEqual(
    rows
      .slice(50)
      .map(({ at }) => at)
      .toSorted((one, other) => one - other),
  );
  expect(rows.some((row) => paused.has(row))).toBe(false);
});

test('whether a row would pass another one is found without a look at all of its account', () => {
  const COUNT = 5_000;
  let looks = 0;
  const row = (at: number) =>
    Object.defineProperty({ account: 'a', since: 0, id: at }, 'at', {
      get: () => {
        looks++;
        return at;
      },
    }) as unknown as HeldRow;
  for (let n = 0; n < COUNT; n++) paused.add(row(COUNT + n));
  looks = 0;
  for (let n = 0; n < COUNT; n++) expect(paused.wouldPass(row(n))).toBe(false);
  expect(looks).toBeLessThan(10 * COUNT);
});
