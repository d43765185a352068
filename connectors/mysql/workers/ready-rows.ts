import type { Kept } from '../../../bolts/kept-ids';
import type { ReadyRows, UpcomingRange, UpcomingRow } from '../../../bolts/ready-rows';
import type { ClaimRow } from '../../../bolts/send-rows';
import { hex, integer, NOW_MS, text } from '../sql/literals';
import type { Pool } from '../sql/pool';
import { keepStatement } from './kept-ids';
import { pageStatement } from './open-rows';

const SHARDS = 256;
/** Nothing of it may have been accepted, so what is kept for it may be replaced. */
const UNSENT = "m.state='scheduled' AND m.in_doubt=0";

/** What the bolt sees of messages that it makes ready before their instant. */
export class MySqlReadyRows implements ReadyRows {
  constructor(private readonly pool: Pool) {}

  async upcoming(channel: string, { from, below, after, limit }: UpcomingRange): Promise<UpcomingRow[]> {
    const cursors = Array.from({ length: SHARDS }, (_, shard) => {
      const last = after.get(shard);
      return { shard, afterWake: last?.wakeAt ?? from, afterId: last?.id ?? 0 };
    });
    const rows = await this.pool.rows<
      [id: number, shard: number, account: string, wakeAt: number, version: number, ...unknown[]]
    >(pageStatement(channel, cursors, below, limit));
    return rows.map(([id, shard, account, wakeAt, version]) => ({ id, shard, account, wakeAt, version }));
  }

  /** The message's row is locked meanwhile, so what its next owner keeps comes afterwards. */
  begin({ id, version, updatedAt }: ClaimRow, contentHash: string): Promise<boolean> {
    return this.pool.transaction(async (sql) => {
      const [row] = await sql.rows<[planNumber: number]>(
        'SELECT m.plan_number FROM scheduled_messages m FORCE INDEX (PRIMARY) ' +
          `WHERE m.id=${integer(id)} AND m.version=${integer(version)} AND m.updated_at=${text(updatedAt)} AND ${UNSENT} ` +
          'FOR SHARE SKIP LOCKED',
      );
      if (row === undefined) return false;
      const [plan, hash] = [integer(row[0]), hex(contentHash)];
      // First: two workers that looked for what is not there would wait for each other's gap.
      const { affectedRows: inserted } = await sql.run(
        'INSERT IGNORE INTO kept_ids (message_id, plan_number, content_hash, ids, kept_at) ' +
          `VALUES (${integer(id)}, ${plan}, ${hash}, '{}', ${NOW_MS})`,
      );
      if (inserted > 0) return true;
      const { affectedRows: replaced } = await sql.run(
        `UPDATE kept_ids SET plan_number=${plan}, content_hash=${hash}, ids='{}', kept_at=${NOW_MS} ` +
          `WHERE message_id=${integer(id)} AND (plan_number<>${plan} OR content_hash<>${hash})`,
      );
      return replaced > 0;
    });
  }

  async keep({ id, version }: Pick<ClaimRow, 'id' | 'version'>, kept: Kept): Promise<boolean> {
    const ofRow = `m.id=${integer(id)} AND m.version=${integer(version)} AND ${UNSENT}`;
    const { affectedRows } = await this.pool.run(keepStatement(ofRow, kept));
    return affectedRows > 0;
  }
}
