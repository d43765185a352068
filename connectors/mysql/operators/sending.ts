import { isOutOfTime } from '../sql/failures';
import { integer, list, NOW_MS, text } from '../sql/literals';
import type { Pool } from '../sql/pool';
import type { Sql } from '../sql/sql';

const COUNT_TIMEOUT_MS = 300;
/** A worker may claim a row so long before its wake, and a bit. */
const CLAIMED_AHEAD_MS = 6_000;
const SHARDS = list(
  Array.from({ length: 256 }, (_, shard) => shard),
  integer,
);

/** Whether messages of a channel are being sent. */
export class Sending {
  private unknownSince: number | null = null;

  constructor(private readonly pool: Pool) {}

  /**
   * Where too many messages are overdue to look at each, what was being sent at the first call is taken for ended after the
   * longest request. @param endedAfterMs until then, with the time until the last one begins
   */
  async any(channel: string, endedAfterMs: number): Promise<boolean> {
    const { clock } = this.pool;
    try {
      return await this.pool.use(async (sql) => {
        await sql.run('SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED');
        const rows = await sql.rows(
          `SELECT /*+ MAX_EXECUTION_TIME(${COUNT_TIMEOUT_MS}) */ 1 FROM scheduled_messages FORCE INDEX (open_by_wake) ` +
            `WHERE open=1 AND channel=${text(channel)} AND shard IN ${SHARDS} ` +
            `AND wake_at <= ${NOW_MS} + ${CLAIMED_AHEAD_MS} AND state='sending' LIMIT 1`,
        );
        return rows.length > 0;
      });
    } catch (error) {
      if (!isOutOfTime(error)) throw error;
      this.unknownSince ??= clock.monotonic();
      return clock.monotonic() - this.unknownSince < endedAfterMs;
    }
  }
}

/**
 * Whether a worker of the component lives, or was cut off from the database lately: it is in no group then, and comes back.
 * @param withinMs after its lease has run out
 */
export async function mayComeBack(sql: Sql, component: string, withinMs: number): Promise<boolean> {
  const rows = await sql.rows(
    `SELECT 1 FROM workers WHERE left_at IS NULL AND lease_until > ${NOW_MS} - ${integer(withinMs)} ` +
      `AND JSON_CONTAINS(components, ${text(JSON.stringify(component))}) LIMIT 1`,
  );
  return rows.length > 0;
}
