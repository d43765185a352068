import { reasonOf, UserError } from '../../../topology/core/errors';
import type { MessageId, MessageState } from '../../../topology/message';
import { transactionsOf } from '../sql/batches';
import { writeInHalves } from '../sql/halves';
import { integer, list, text } from '../sql/literals';
import type { Pool } from '../sql/pool';
import type { Sql } from '../sql/sql';
import type { SeenVersion } from './search';

export interface BulkCounts {
  readonly done: number;
  /** Something else happened to them first, or somebody holds them. */
  readonly skipped: number;
}

/** What one transaction did. */
export interface Written {
  readonly written: number;
  /** Rows that were not written, and not refused either. */
  readonly left: number;
  readonly tookMs: number;
}

/** Small enough that neither workers nor a replication group wait for it. */
const ROWS_PER_TRANSACTION = 200;
/** Batches in a row that may be refused after one was written, before it is doubted that this is about their rows. */
const MAX_PROVED = 3;
/** Batches of which it is not known why they are refused, and that are tried again once others are written: 100,000 rows. */
const MAX_IN_VAIN = 500;

/**
 * What operators write of many rows, in their order.
 *
 * 1. *A transaction is bounded in rows and in bytes of payload*, and what the database refuses for its size is halved.
 * 2. *A row that the database refuses holds no other*: it is named at the end. So do many of them, in front of all others: batches
 *    of which nothing can be written are set aside at little cost, and are tried row by row as soon as another one was written.
 * 3. *An outage ends the run*, after as many batches as may be set aside, or at the end if nothing was written at all.
 */
export class SmallTransactions {
  private refused = 0;
  private first: string | undefined;
  /** Batches that were refused since one was written. */
  private sinceWritten = Number.POSITIVE_INFINITY;
  private readonly inVain: { readonly error: unknown; readonly again: () => Promise<Written> }[] = [];

  constructor(private readonly pool: Pick<Pool, 'rows' | 'transaction' | 'clock'>) {}

  /** @param write writes rows in a transaction of their own, and resolves to how many */
  async *write<Row extends { readonly id: MessageId }>(
    rows: readonly Row[],
    write: (sql: Sql, part: readonly Row[]) => Promise<number>,
  ): AsyncGenerator<Written> {
    for await (const batch of transactionsOf(this.pool, rows, ROWS_PER_TRANSACTION)) {
      const done = await this.writeBatch(batch, write, this.sinceWritten < MAX_PROVED);
      yield done;
      if (done.written > 0) yield* this.writeAgain();
    }
  }

  /**
   * Tries what was set aside.
   * @throws UserError when rows were refused. All others are written by then
   */
  async *finish(): AsyncGenerator<Written> {
    const [first] = this.inVain;
    if (first !== undefined && this.sinceWritten === Number.POSITIVE_INFINITY) throw first.error;
    yield* this.writeAgain();
    if (this.first === undefined) return;
    const more = this.refused === 1 ? '' : ` ${this.refused - 1} more were refused.`;
    throw new UserError(`The database refuses ${this.first}.${more} All others were written.`);
  }

  private async *writeAgain(): AsyncGenerator<Written> {
    for (const { again } of this.inVain.splice(0)) yield await again();
  }

  private async writeBatch<Row extends { readonly id: MessageId }>(
    batch: readonly Row[],
    write: (sql: Sql, part: readonly Row[]) => Promise<number>,
    isProved: boolean,
  ): Promise<Written> {
    const { pool } = this;
    const beganAt = pool.clock.monotonic();
    const one = (part: readonly Row[]) => pool.transaction((sql) => write(sql, part));
    const { written, refused, inVain } = await writeInHalves(batch, one, { isProved });
    const tookMs = pool.clock.monotonic() - beganAt;
    if (written > 0) this.sinceWritten = 0;
    else if (refused.length > 0 || inVain !== undefined) this.sinceWritten++;
    if (inVain !== undefined) {
      if (this.inVain.length === MAX_IN_VAIN) throw inVain.error;
      this.inVain.push({ error: inVain.error, again: () => this.writeBatch(batch, write, true) });
      return { written, left: 0, tookMs };
    }
    this.refused += refused.length;
    for (const { row, error } of refused) this.first ??= `message ${row.id}: ${reasonOf(error)}`;
    return { written, left: batch.length - written - refused.length, tookMs };
  }
}

/**
 * Changes rows as they were found, and rests after each transaction for as long as it took, so that sending goes on beside it. What was
 * changed since, or is held by somebody, is skipped.
 * @param state the rows were found in it
 * @param change of rows that are locked
 * @param report called after each transaction; what it throws ends the run
 */
export async function changeAll<Row extends SeenVersion>(
  pool: Pool,
  steps: AsyncIterable<readonly Row[]>,
  state: MessageState,
  change: (sql: Sql, rows: readonly Row[]) => Promise<number>,
  report: (counts: BulkCounts) => void = () => {},
): Promise<BulkCounts> {
  const transactions = new SmallTransactions(pool);
  const counts = { done: 0, skipped: 0 };
  const counted = async (each: AsyncIterable<Written>) => {
    for await (const { written, left, tookMs } of each) {
      counts.done += written;
      counts.skipped += left;
      report(counts);
      await pool.clock.sleep(tookMs);
    }
  };
  for await (const rows of steps) {
    await counted(transactions.write(rows, async (sql, part) => change(sql, await unchanged(sql, part, state))));
  }
  await counted(transactions.finish());
  return counts;
}

/** Locks rows that nobody has changed, or holds, until the end of the transaction. In the order given. */
async function unchanged<Row extends SeenVersion>(
  sql: Sql,
  rows: readonly Row[],
  state: MessageState,
): Promise<readonly Row[]> {
  const free = await sql.rows<[MessageId]>(
    'SELECT id FROM scheduled_messages FORCE INDEX (PRIMARY) ' +
      `WHERE id IN ${list(rows, ({ id }) => integer(id))} AND (id, version) IN ` +
      `${list(rows, ({ id, version }) => `(${integer(id)},${integer(version)})`)} AND state=${text(state)} ` +
      'ORDER BY id FOR UPDATE SKIP LOCKED',
  );
  const ids = new Set(free.map(([id]) => id));
  return rows.filter(({ id }) => ids.has(id));
}
