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
interface Written {
  readonly written: number;
  /** Rows that were not written, and not refused either. */
  readonly left: number;
  readonly tookMs: number;
}

/** Small enough that neither workers nor a replication group wait for it. */
const ROWS_PER_TRANSACTION = 200;
/** What is done to rows in a transaction. */
export interface RowWrite<Row> {
  /** Resolves to how many it wrote. */
  readonly write: (sql: Sql, part: readonly Row[]) => Promise<number>;
  /** Runs the same statements about no row, so that what they are refused for is no matter of rows. */
  readonly check: (sql: Sql) => Promise<unknown>;
}

/**
 * What operators write of many rows, in their order.
 *
 * 1. *A transaction is bounded in rows and in bytes of payload*, and what the database refuses for its size is halved.
 * 2. *A row that the database refuses holds no other*, however many are refused, and wherever they are: it is named at the end.
 * 3. *An outage ends the run* at once: what would refuse every row makes none of them a refused one.
 */
export class SmallTransactions<Row extends { readonly id: MessageId }> {
  private refused = 0;
  private first: string | undefined;

  constructor(
    private readonly pool: Pick<Pool, 'rows' | 'transaction' | 'clock'>,
    private readonly rowWrite: RowWrite<Row>,
  ) {}

  async *write(rows: readonly Row[]): AsyncGenerator<Written> {
    const { pool, rowWrite } = this;
    for await (const batch of transactionsOf(pool, rows, ROWS_PER_TRANSACTION)) {
      const beganAt = pool.clock.monotonic();
      const { written, refused } = await writeInHalves(
        batch,
        (part) => pool.transaction((sql) => rowWrite.write(sql, part)),
        () => pool.transaction((sql) => rowWrite.check(sql)),
      );
      this.refused += refused.length;
      for (const { row, error } of refused) this.first ??= `message ${row.id}: ${reasonOf(error)}`;
      const tookMs = pool.clock.monotonic() - beganAt;
      yield { written, left: batch.length - written - refused.length, tookMs };
    }
  }

  /** @throws UserError when rows were refused. All others are written by then */
  finish(): void {
    if (this.first === undefined) return;
    const more = this.refused === 1 ? '' : ` ${this.refused - 1} more were refused.`;
    throw new UserError(`The database refuses ${this.first}.${more} All others were written.`);
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
  change: RowWrite<Row>,
  report: (counts: BulkCounts) => void = () => {},
): Promise<BulkCounts> {
  const transactions = new SmallTransactions<Row>(pool, {
    ...change,
    write: async (sql, part) => change.write(sql, await unchanged(sql, part, state)),
  });
  const counts = { done: 0, skipped: 0 };
  for await (const rows of steps) {
    for await (const { written, left, tookMs } of transactions.write(rows)) {
      counts.done += written;
      counts.skipped += left;
      report(counts);
      await pool.clock.sleep(tookMs);
    }
  }
  transactions.finish();
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
