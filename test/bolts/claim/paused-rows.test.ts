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
  // One account is never parted, because its rows that are left would be passed.
  expect(takeUp()).toEqual({ large: 5_000 });
  expect(takeUp()).toEqual({ d: 900 });
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
