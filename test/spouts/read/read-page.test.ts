import { ChangedMeanwhile } from '../../../spouts/memory/changed-meanwhile';
import { Frontier } from '../../../spouts/memory/frontier';
import { readPage } from '../../../spouts/read/read-page';

test.each([1, 3, 64, 256])(
  'a page of %i shards has some 5,000 rows, and 2,000 of one of them, at most',
  async (count) => {
    const frontier = new Frontier();
    const cursors = Array.from({ length: count }, (_, shard) => ({ shard, afterWake: 0, afterId: 0 }));
    for (const { shard } of cursors) frontier.own(shard);
    const channel = { name: 'webhook', entries: { frontier, changedMeanwhile: new ChangedMeanwhile() } };
    let limit = 0;
    const rows = {
      page: async (_channel: string, _cursors: unknown, _below: number, most: number) => {
        limit = most;
        return [];
      },
    };
    await readPage(rows as never, channel as never, cursors, 1);
    expect(limit).toBeLessThanOrEqual(2_000);
    expect(limit * count).toBeLessThan(5_500);
    expect(limit).toBeGreaterThanOrEqual(19);
  },
);
