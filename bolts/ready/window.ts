import type { ReadyRows, UpcomingRow } from '../ready-rows';

/** Rows of a shard in one page: what several accounts of it have within a minute, as a rule. */
const ROWS_PER_SHARD = 8;

/**
 * Goes over what wakes between two instants, a page at a time, and again from the beginning, because what is scheduled or edited
 * meanwhile may wake anywhere. A shard with more than a page has the next part of it at the next look, so no account of it is left out
 * for good. What has woken meanwhile is passed over: one account may have very much of it, which waits at its limit.
 */
export class Window {
  private readonly after = new Map<number, UpcomingRow>();

  constructor(
    private readonly rows: Pick<ReadyRows, 'upcoming'>,
    private readonly channel: string,
  ) {}

  /** Some shards have more than was read. */
  get hasMore(): boolean {
    return this.after.size > 0;
  }

  async next(from: number, below: number): Promise<readonly UpcomingRow[]> {
    for (const [shard, { wakeAt }] of this.after) if (wakeAt < from) this.after.delete(shard);
    const range = { from, below, after: this.after, limit: ROWS_PER_SHARD };
    const page = await this.rows.upcoming(this.channel, range);
    const counts = new Map<number, number>();
    this.after.clear();
    for (const row of page) {
      const count = (counts.get(row.shard) ?? 0) + 1;
      counts.set(row.shard, count);
      if (count === ROWS_PER_SHARD) this.after.set(row.shard, row);
    }
    return page;
  }
}
