import type { AccountName, Resumed, SuspendedRows } from '../../../spouts/suspended-rows';
import { reschedule } from '../schema/reschedule';
import { batchesOf } from '../sql/batches';
import { integer, NOW_MS, text } from '../sql/literals';
import type { Pool } from '../sql/pool';

/**
 * Workers believe for a second that an account may not be used. What came to them earlier would be given back, and so be late and out
 * of its order.
 */
const RESUMED_AFTER_MS = 2_000;
/** Of one transaction. The binary log has each row twice. */
const bound = { maxItems: 1_000, maxBytes: 8 * 1024 * 1024 };

interface ResumingAccount extends AccountName {
  readonly generation: number;
}

/** The spout's view of suspended rows. Every read goes by an index, whatever the table holds. */
export class MySqlSuspendedRows implements SuspendedRows {
  constructor(private readonly pool: Pool) {}

  async resume(after: AccountName | undefined): Promise<Resumed> {
    const next = await this.next(after);
    if (next === undefined) return { rows: 0, at: undefined };
    const at = { account: next.account, channel: next.channel };
    try {
      return { rows: await this.resumeOf(next), at };
    } catch (failure) {
      return { rows: 0, at, failure };
    }
  }

  private async resumeOf(next: ResumingAccount): Promise<number> {
    const of = `channel=${text(next.channel)} AND account=${text(next.account)}`;
    const isResuming =
      `SELECT 1 FROM account_states FORCE INDEX (PRIMARY) WHERE ${of} AND generation=${integer(next.generation)} ` +
      "AND state='resuming'";
    const rows = await this.pool.transaction(async (sql) => {
      // What a person says next waits until the batch is written, and what was said before counts. Nobody is waited for.
      if ((await sql.rows(`${isResuming} FOR SHARE SKIP LOCKED`)).length === 0) return 0;
      // A row that somebody has locked is left for the next batch: nothing else waits for it.
      const found = await sql.rows<[id: number, bytes: number]>(
        'SELECT id, JSON_STORAGE_SIZE(payload) FROM scheduled_messages FORCE INDEX (suspended_by_due) ' +
          `WHERE suspended=1 AND ${of} ORDER BY due_at, id LIMIT ${bound.maxItems} FOR UPDATE SKIP LOCKED`,
      );
      const [batch = []] = batchesOf(found, ([, bytes]) => bytes, bound);
      return reschedule(
        sql,
        batch.map(([id]) => id),
      );
    });
    if (rows === 0 && !(await this.isAnyLeft(of))) {
      // What was suspended since has marked the account, in the same transaction, and then it is not being resumed.
      await this.pool.transaction(async (sql) => {
        if ((await sql.rows(`${isResuming} FOR UPDATE SKIP LOCKED`)).length === 0) return;
        await sql.run(`UPDATE account_states FORCE INDEX (PRIMARY) SET state='usable' WHERE ${of}`);
      });
    }
    return rows;
  }

  private async next(after: AccountName | undefined): Promise<ResumingAccount | undefined> {
    const beyond =
      after === undefined
        ? ''
        : `AND (account > ${text(after.account)} OR (account=${text(after.account)} AND channel > ${text(after.channel)})) `;
    const [row] = await this.pool.rows<[account: string, channel: string, generation: number]>(
      'SELECT account, channel, generation FROM account_states FORCE INDEX (by_state) ' +
        `WHERE state='resuming' AND COALESCE(since, 0) <= ${NOW_MS} - ${RESUMED_AFTER_MS} ${beyond}ORDER BY account, channel LIMIT 1`,
    );
    return row === undefined ? undefined : { account: row[0], channel: row[1], generation: row[2] };
  }

  private async isAnyLeft(of: string): Promise<boolean> {
    const [row] = await this.pool.rows(
      `SELECT 1 FROM scheduled_messages FORCE INDEX (suspended_by_due) WHERE suspended=1 AND ${of} LIMIT 1`,
    );
    return row !== undefined;
  }
}
