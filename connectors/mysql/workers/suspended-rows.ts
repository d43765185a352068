import type { AccountName, Resumed, SuspendedRows } from '../../../spouts/suspended-rows';
import { reschedule } from '../schema/reschedule';
import { batchesOf } from '../sql/batches';
import { integer, NOW_MS, text } from '../sql/literals';
import type { Pool } from '../sql/pool';
import type { Sql } from '../sql/sql';

/**
 * Workers believe for a second that an account may not be used. What came to them earlier would be given back, and so be late and out
 * of its order.
 */
const RESUMED_AFTER_MS = 2_000;
/** Of one transaction. The binary log has each row twice. */
const bound = { maxItems: 1_000, maxBytes: 8 * 1024 * 1024 };
/** Rows of an account's first batch: how large a row is shows only when it is read, and a thousand of them may be a gigabyte. */
const FIRST_ROWS = 64;
/** Accounts whose position is known. Beyond it the one that had its turn longest ago is read from its beginning. */
const MAX_POSITIONS = 10_000;

interface ResumingAccount extends AccountName {
  readonly generation: number;
  /** As the database writes it; null when nothing was kept back. It changes with the generation only. */
  readonly keptAt: string | null;
}

/** The last row of a batch, and how many rows the next one reads. */
interface Position {
  readonly dueAt: number;
  readonly id: number;
  readonly limit: number;
}

/** What one batch has done. */
interface Batch {
  readonly rows: number;
  /** Where the next batch begins; undefined when this one has read the last row that is free, or none could be read. */
  readonly last: Position | undefined;
}

/**
 * The spout's view of suspended rows. Every read goes by an index, whatever the table holds.
 *
 * 1. *A batch begins where the last one ended*: the entries of rows that were resumed stay in the index for as long as a transaction
 *    may read them, and walked again by each batch they would make resuming quadratic.
 * 2. *At the end the account is read from its beginning*: rows that somebody held, or that an edit has moved, stand before the position.
 * 3. *What a person has kept back stays*: only rows that were suspended since are scheduled, and only they are waited for.
 */
export class MySqlSuspendedRows implements SuspendedRows {
  /** By `nameOf`, which names the generation too: said anew, an account is read from its beginning. */
  private readonly positions = new Map<string, Position>();

  constructor(private readonly pool: Pick<Pool, 'rows' | 'transaction'>) {}

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
    const since = next.keptAt === null ? '' : ` AND updated_at > ${text(next.keptAt)}`;
    const waiting = `suspended=1 AND ${of}${since}`;
    const name = nameOf(next);
    const from = this.positions.get(name);
    const { rows, last } = await this.pool.transaction((sql) => resumeBatch(sql, isResuming, waiting, from));
    this.positions.delete(name);
    if (last !== undefined) {
      this.positions.set(name, last);
      if (this.positions.size > MAX_POSITIONS) this.positions.delete(this.positions.keys().next().value as string);
      return rows;
    }
    if (!(await this.isAnyLeft(waiting))) {
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
    const [row] = await this.pool.rows<[account: string, channel: string, generation: number, keptAt: string | null]>(
      'SELECT account, channel, generation, CAST(kept_at AS CHAR) FROM account_states FORCE INDEX (by_state) ' +
        `WHERE state='resuming' AND COALESCE(since, 0) <= ${NOW_MS} - ${RESUMED_AFTER_MS} ${beyond}ORDER BY account, channel LIMIT 1`,
    );
    return row && { account: row[0], channel: row[1], generation: row[2], keptAt: row[3] };
  }

  private async isAnyLeft(waiting: string): Promise<boolean> {
    const [row] = await this.pool.rows(
      `SELECT 1 FROM scheduled_messages FORCE INDEX (suspended_by_due) WHERE ${waiting} LIMIT 1`,
    );
    return row !== undefined;
  }
}

async function resumeBatch(sql: Sql, isResuming: string, waiting: string, from: Position | undefined): Promise<Batch> {
  // What a person says next waits until the batch is written, and what was said before counts. Nobody is waited for.
  if ((await sql.rows(`${isResuming} FOR SHARE SKIP LOCKED`)).length === 0) return { rows: 0, last: undefined };
  // Two ranges of the index: one with a condition on the id would walk again over all rows that are due at the position's instant.
  const beyond =
    from === undefined
      ? ''
      : `AND ((due_at = ${integer(from.dueAt)} AND id > ${integer(from.id)}) OR due_at > ${integer(from.dueAt)}) `;
  const { limit = FIRST_ROWS } = from ?? {};
  // A row that somebody has locked is left for the end: nothing else waits for it.
  const found = await sql.rows<[id: number, dueAt: number, bytes: number]>(
    'SELECT id, due_at, JSON_STORAGE_SIZE(payload) FROM scheduled_messages FORCE INDEX (suspended_by_due) ' +
      `WHERE ${waiting} ${beyond}ORDER BY due_at, id LIMIT ${limit} FOR UPDATE SKIP LOCKED`,
  );
  const [batch = []] = batchesOf(found, ([, , bytes]) => bytes, bound);
  const rows = await reschedule(
    sql,
    batch.map(([id]) => id),
  );
  const isEnd = batch.length === found.length && found.length < limit;
  const end = isEnd ? undefined : batch.at(-1);
  return { rows, last: end && { id: end[0], dueAt: end[1], limit: Math.min(bound.maxItems, 2 * batch.length) } };
}

function nameOf({ account, channel, generation }: ResumingAccount): string {
  return JSON.stringify([channel, account, generation]);
}
