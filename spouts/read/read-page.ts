import type { Entries } from '../memory/entries';
import type { WakePosition } from '../memory/position';
import type { OpenRow, OpenRows, ShardCursor } from '../open-rows';

/** Rows of one page, divided among its shards. */
const ROWS_PER_PAGE = 5_000;
const MIN_ROWS_PER_SHARD = 20;
const MAX_ROWS_PER_SHARD = 2_000;

export interface Page {
  /** The rows of which the spout learned nothing newer while it read them. */
  readonly rows: readonly OpenRow[];
  /** How far each shard was read: up to its row `last`, or up to `below` when `last` is undefined. */
  readonly reached: readonly { readonly cursor: ShardCursor; readonly last: WakePosition | undefined }[];
}

/**
 * Reads one page of a channel's open rows that wake before `below`, in (wake, id) order per shard. It leaves out shards that
 * the spout lost meanwhile. Opening buckets, refilling accounts and reconciling are this read with different bounds.
 */
export async function readPage(
  from: OpenRows,
  channel: { readonly name: string; readonly entries: Entries },
  cursors: readonly ShardCursor[],
  below: number,
): Promise<Page> {
  const { frontier, changedMeanwhile } = channel.entries;
  const limit = Math.min(MAX_ROWS_PER_SHARD, Math.max(MIN_ROWS_PER_SHARD, Math.floor(ROWS_PER_PAGE / cursors.length)));
  const lives = new Map(cursors.map(({ shard }) => [shard, frontier.life(shard)]));
  const learned = changedMeanwhile.begin();
  let rows: OpenRow[];
  try {
    rows = await from.page(channel.name, cursors, below, limit);
  } finally {
    changedMeanwhile.end(learned);
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
