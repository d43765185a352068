import { Window } from '../../../bolts/ready/window';
import type { UpcomingRange, UpcomingRow } from '../../../bolts/ready-rows';

const SHARD = 7;

/** Messages of one shard, in the order of their wakes. */
function windowOver(rows: readonly UpcomingRow[]): Window {
  const upcoming = async (_: string, { from, below, after, limit }: UpcomingRange) => {
    const last = after.get(SHARD) ?? { wakeAt: from, id: 0 };
    const isNext = ({ id, wakeAt }: UpcomingRow) =>
      wakeAt < below && (wakeAt > last.wakeAt || (wakeAt === last.wakeAt && id > last.id));
    return rows.filter(isNext).slice(0, limit);
  };
  return new Window({ upcoming }, 'x');
}

const row = (id: number, account: string, wakeAt: number): UpcomingRow => ({
  id,
  shard: SHARD,
  account,
  wakeAt,
  version: 1,
});

test('what one account has woken and not sent holds up no other account of its shard', async () => {
  const crowd = Array.from({ length: 1_000 }, (_, n) => row(n + 1, 'crowd', 10_000));
  const window = windowOver([...crowd, row(2_000, 'other', 40_000)]);
  const first = await window.next(5_000, 65_000);
  expect(first.map(({ id }) => id)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  expect(window.hasMore).toBe(true);
  expect((await window.next(5_500, 65_500))[0]?.id).toBe(9);
  // The crowd's instant has come, and most of it waits.
  expect((await window.next(10_500, 70_500)).map(({ account }) => account)).toEqual(['other']);
  expect(window.hasMore).toBe(false);
});
