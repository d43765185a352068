import type { AccountName, Resumed, SuspendedRows } from '../../../spouts/suspended-rows';
import { reschedule } from '../schema/reschedule';
import { batchesOf } from '../sql/batches';
import { integer, list, NOW_MS, text } from '../sql/literals';
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
/**
 * Rows that one statement passes over, whether they are kept back or not: each is looked up in the table, which takes some milliseconds
 * for a page that is in memory, and less than a statement may take for one that is not.
 */
const PAGE_ROWS = 2_000;
/** Accounts whose position is known. Beyond it the one that had its turn longest ago is read from its beginning. */
const MAX_POSITIONS = 10_000;

interface ResumingAccount extends AccountName {
  readonly generation: number;
  /** As the database writes it; null when nothing was kept back. It changes with the generation only. */
  readonly keptAt: string | null;
}

/** A suspended row of an account. `isWaiting`: 1 when it is to be scheduled, and 0 when a person has kept it back. */
type SuspendedRow = readonly [id: number, dueAt: number, isWaiting: number];

/** How far an account has been passed over since its beginning. */
interface Position {
  /** The last row that was passed; undefined at the beginning. */
  readonly last: SuspendedRow | undefined;
  /** How many rows the next batch reads. */
  readonly limit: number;
  /** There were rows that wait, whether they were scheduled or somebody held them. */
  readonly isAnySeen: boolean;
}

const BEGINNING: Position = { last: undefined, limit: FIRST_ROWS, isAnySeen: false };

/** What one batch has done. */
interface Batch {
  readonly rows: number;
  /** How many of the rows given were scheduled or left to whoever holds them. The others were too much for one transaction. */
  readonly passed: number;
}

/**
 * The spout's view of suspended rows. Every read goes by an index, whatever the table holds.
 *
 * 1. *A batch begins where the last one ended*: the entries of rows that were resumed stay in the index for as long as a transaction
 *    may read them, and walked again by each batch they would make resuming quadratic.
 * 2. *An account is passed over until no row of it waits*: rows that somebody held, or that an edit has moved, stand before the position.
 * 3. *What a person has kept back stays*: only rows that were suspended since are scheduled, and only they are waited for.
 * 4. *A call passes over a bounded number of rows*, so that each makes progress, however many a person has kept back.
 */
export class MySqlSuspendedRows implements SuspendedRows {
  /** By `nameOf`, which names the generation too: said anew, an account is read from its beginning. */
  private readonly positions = new Map<string, Position>();

  constructor(private readonly pool: Pick<Pool, 'rows' | 'transaction'>) {}

  async resume(after: AccountName | undefined): Promise<Resumed> {
    const next = await this.next(after);
    if (next === undefined) return { rows: 0, hasMore: false, at: undefined };
    const at = { account: next.account, channel: next.channel };
    try {
      return { ...(await this.resumeOf(next)), at };
    } catch (failure) {
      return { rows: 0, hasMore: false, at, failure };
    }
  }

  private async resumeOf(next: ResumingAccount): Promise<Pick<Resumed, 'rows' | 'hasMore'>> {
    const name = nameOf(next);
    const from = this.positions.get(name) ?? BEGINNING;
    // Where nothing was kept back every row waits.
    const size = next.keptAt === null ? from.limit : PAGE_ROWS;
    const page = await this.pageOf(next, from, size);
    const waiting = page.filter(([, , isWaiting]) => isWaiting === 1);
    const wanted = waiting.slice(0, from.limit);
    const batch =
      wanted.length === 0
        ? { rows: 0, passed: 0 }
        : await this.pool.transaction((sql) => resumeBatch(sql, isResuming(next), waits(next), wanted));
    // What a person says of the account next is heard first.
    if (batch === undefined) return { rows: 0, hasMore: false };
    const { rows, passed } = batch;
    const isPage = passed === waiting.length;
    const isAnySeen = from.isAnySeen || waiting.length > 0;
    this.positions.delete(name);
    if (isPage && page.length < size) {
      if (!isAnySeen) await this.end(next);
      return { rows, hasMore: false };
    }
    const last = isPage ? page.at(-1) : wanted[passed - 1];
    const limit = passed < wanted.length ? 2 * passed : Math.max(from.limit, 2 * passed);
    this.positions.set(name, { last, limit: Math.min(bound.maxItems, limit), isAnySeen });
    if (this.positions.size > MAX_POSITIONS) this.positions.delete(this.positions.keys().next().value as string);
    return { rows, hasMore: true };
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

  /**
   * The next suspended rows, in the order in which they are due. Nothing is locked, and no payload read: most of them may be kept back.
   */
  private pageOf(account: ResumingAccount, { last }: Position, size: number): Promise<readonly SuspendedRow[]> {
    // Two ranges of the index: one with a condition on the id would walk again over all rows that are due at the position's instant.
    const beyond =
      last === undefined
        ? ''
        : `AND ((due_at = ${integer(last[1])} AND id > ${integer(last[0])}) OR due_at > ${integer(last[1])}) `;
    return this.pool.rows<SuspendedRow>(
      `SELECT id, due_at, ${waits(account)} FROM scheduled_messages FORCE INDEX (suspended_by_due) ` +
        `WHERE suspended=1 AND ${isOf(account)} ${beyond}ORDER BY due_at, id LIMIT ${integer(size)}`,
    );
  }

  /** What was suspended since has marked the account, in the same transaction, and then it is not being resumed. */
  private end(account: ResumingAccount): Promise<void> {
    return this.pool.transaction(async (sql) => {
      if ((await sql.rows(`${isResuming(account)} FOR UPDATE SKIP LOCKED`)).length === 0) return;
      await sql.run(`UPDATE account_states FORCE INDEX (PRIMARY) SET state='usable' WHERE ${isOf(account)}`);
    });
  }
}

/** @returns undefined when somebody holds the account, or has said something else of it */
async function resumeBatch(
  sql: Sql,
  ofAccount: string,
  ifWaits: string,
  wanted: readonly SuspendedRow[],
): Promise<Batch | undefined> {
  // What a person says next waits until the batch is written, and what was said before counts. Nobody is waited for.
  if ((await sql.rows(`${ofAccount} FOR SHARE SKIP LOCKED`)).length === 0) return undefined;
  // A row that somebody has locked is left for later: nothing else waits for it.
  const free = new Map(
    await sql.rows<[id: number, bytes: number]>(
      'SELECT id, JSON_STORAGE_SIZE(payload) FROM scheduled_messages FORCE INDEX (PRIMARY) ' +
        `WHERE id IN ${list(wanted, ([id]) => integer(id))} AND state='suspended' AND ${ifWaits} ORDER BY id FOR UPDATE SKIP LOCKED`,
    ),
  );
  const found = wanted.flatMap(([id], index) => (free.has(id) ? [{ id, index }] : []));
  const [batch = []] = batchesOf(found, ({ id }) => free.get(id) ?? 0, bound);
  const rows = await reschedule(
    sql,
    batch.map(({ id }) => id),
    'spout',
  );
  return { rows, passed: found[batch.length]?.index ?? wanted.length };
}

function isResuming(account: ResumingAccount): string {
  return (
    `SELECT 1 FROM account_states FORCE INDEX (PRIMARY) WHERE ${isOf(account)} ` +
    `AND generation=${integer(account.generation)} AND state='resuming'`
  );
}

/** Whether a suspended row of the account is to be scheduled. */
function waits({ keptAt }: ResumingAccount): string {
  return keptAt === null ? '1' : `updated_at > ${text(keptAt)}`;
}

function isOf({ account, channel }: AccountName): string {
  return `channel=${text(channel)} AND account=${text(account)}`;
}

function nameOf({ account, channel, generation }: ResumingAccount): string {
  return JSON.stringify([channel, account, generation]);
}
