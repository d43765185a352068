import type { Entries } from '../memory/entries';
import type { WakePosition } from '../memory/entry';
import type { OpenRow, OpenRows, ShardCursor } from '../open-rows';

/** Rows that one query should bring, over all shards; and the bounds of what one shard brings. */
const ROWS = 5_000;
const LEAST = 40;
const MOST = 2_000;

export interface Page {
  /** Rows that can be believed: nothing newer was learned while they were read. */
  readonly rows: readonly OpenRow[];
  /** How far each shard was read: to the row that is `last`; to the end of what was asked for when that is undefined. */
  readonly reached: readonly { readonly cursor: ShardCursor; readonly last: WakePosition | undefined }[];
}

/**
 * One page of a channel's open rows below `below`, in (wake, id) order per shard. Shards that were lost while it was read
 * are left out. BucketReader buckets, filling up accounts and reconciling are this read with different bounds.
 */
export async function readPage(
  from: OpenRows,
  channel: { readonly name: string; readonly entries: Entries },
  cursors: readonly ShardCursor[],
  below: number,
): Promise<Page> {
  const { frontier, news } = channel.entries;
  const limit = Math.min(MOST, Math.max(LEAST, Math.floor(ROWS / cursors.length)));
  const lives = new Map(cursors.map(({ shard }) => [shard, frontier.life(shard)]));
  const learned = news.begin();
  let rows: OpenRow[];
  try {
    rows = await from.page(channel.name, cursors, below, limit);
  } finally {
    news.end(learned);
  }
  const counts = new Map<number, number>();
  const lasts = new Map<number, OpenRow>();
  for (const row of rows) {
    counts.set(row.shard, (counts.get(row.shard) ?? 0) + 1);
    lasts.set(row.shard, row);
  }
  const isOurs = (shard: number) => frontier.life(shard) === lives.get(shard);
  return {
    rows: rows.filter(({ id, shard, version }) => isOurs(shard) && !((learned.get(id) ?? -1) >= version)),
    reached: cursors
      .filter(({ shard }) => isOurs(shard))
      .map((cursor) => ({ cursor, last: counts.get(cursor.shard) === limit ? lasts.get(cursor.shard) : undefined })),
  };
}
