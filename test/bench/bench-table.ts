import { createPool, type Pool, type ResultSetHeader, type RowDataPacket } from 'mysql2/promise';
import { systemClock } from '../../topology/core/clock';
import type { BenchRow } from './workload';

const ROWS_PER_INSERT = 1_000;
/** Well below what MySQL takes in one packet by default. */
const BYTES_PER_INSERT = 8_000_000;
const DAY_MS = 86_400_000;

/** The benchmark as an application: plain SQL, as any application may write it. */
export class BenchTable {
  private readonly pool: Pool;

  constructor(databaseUrl: string) {
    this.pool = createPool({ uri: databaseUrl, connectionLimit: 4, timezone: 'Z', supportBigNumbers: true });
  }

  /** Inserts in the order given, in transactions of a thousand rows or 8 MB. */
  async insert(rows: readonly BenchRow[], channel = 'webhook'): Promise<void> {
    for (const some of pieces(rows)) {
      await this.pool.query('INSERT INTO scheduled_messages (account, channel, payload, due_at) VALUES ?', [
        some.map(({ account, payload, dueAt }) => [account, channel, payload, dueAt]),
      ]);
    }
  }

  /** The highest id so far: what is inserted later is above it. */
  async lastId(): Promise<number> {
    const [rows] = await this.pool.query<RowDataPacket[]>(
      'SELECT COALESCE(MAX(id), 0) AS last FROM scheduled_messages',
    );
    return Number(rows[0]?.['last'] ?? 0);
  }

  /** Messages above an id, of all accounts or of one, by state. */
  async states(above: number, account?: string): Promise<Record<string, number>> {
    const [rows] = await this.pool.query<RowDataPacket[]>(
      'SELECT state, COUNT(*) AS messages FROM scheduled_messages WHERE id > ? AND (? IS NULL OR account = ?) GROUP BY state',
      [above, account ?? null, account ?? null],
    );
    return Object.fromEntries(rows.map((row) => [String(row['state']), Number(row['messages'])]));
  }

  /**
   * Resolves when everything above an id has ended, or at the limit.
   * @param limit milliseconds
   * @returns messages by state, as last seen
   */
  async ended(above: number, limit: number): Promise<Record<string, number>> {
    const until = systemClock.monotonic() + limit;
    for (;;) {
      const states = await this.states(above);
      const open = (states['scheduled'] ?? 0) + (states['sending'] ?? 0);
      if (open === 0 || systemClock.monotonic() > until) return states;
      await systemClock.sleep(200);
    }
  }

  /** Adds rows due over the thirty days that begin in a year. */
  async preloadFuture(count: number, accountOf: (n: number) => string, payload: string): Promise<void> {
    const from = systemClock.now() + 365 * DAY_MS;
    await this.preload(count, 'webhook', accountOf, payload, (n) => from + Math.floor((n / count) * 30 * DAY_MS));
  }

  /** Adds rows that were due over the last hour to a channel that is paused. */
  async preloadOverdue(
    count: number,
    channel: string,
    accountOf: (n: number) => string,
    payload: string,
  ): Promise<void> {
    await this.pool.query('INSERT IGNORE INTO pauses (channel, paused_at) VALUES (?, ?)', [channel, systemClock.now()]);
    const from = systemClock.now() - 3_600_000;
    await this.preload(count, channel, accountOf, payload, (n) => from + Math.floor((n / count) * 3_500_000));
  }

  /** Removes every message and what is known of its attempts. */
  async clear(): Promise<void> {
    for (const table of ['delivery_attempts', 'scheduled_messages']) {
      for (let affected = 1; affected > 0; ) {
        const [{ affectedRows }] = await this.pool.query<ResultSetHeader>(
          `DELETE FROM ${table} LIMIT ${ROWS_PER_INSERT}`,
        );
        affected = affectedRows;
      }
    }
  }

  /** The processes among these that are registered and own partitions. */
  async atWork(pids: readonly number[]): Promise<number[]> {
    const [rows] = await this.pool.query<RowDataPacket[]>(
      'SELECT pid, report FROM workers WHERE dead = 0 AND pid IN (?)',
      [pids],
    );
    return rows.flatMap(({ pid, report }) => {
      const { partitions = {} } = (report ?? {}) as { partitions?: Record<string, number[]> };
      return Object.values(partitions).some((owned) => owned.length > 0) ? [Number(pid)] : [];
    });
  }

  /** Locks the messages of an account in a transaction. @returns what ends it */
  async hold(account: string): Promise<() => Promise<void>> {
    const connection = await this.pool.getConnection();
    await connection.query('START TRANSACTION');
    await connection.query('SELECT id FROM scheduled_messages WHERE account = ? FOR UPDATE', [account]);
    return async () => {
      await connection.query('ROLLBACK');
      connection.release();
    };
  }

  async close(): Promise<void> {
    await this.pool.end();
  }

  private async preload(
    count: number,
    channel: string,
    accountOf: (n: number) => string,
    payload: string,
    dueAt: (n: number) => number,
  ): Promise<void> {
    let next = 0;
    const writer = async () => {
      while (next < count) {
        const from = next;
        next = Math.min(count, from + ROWS_PER_INSERT);
        const rows: BenchRow[] = [];
        for (let n = from; n < next; n++) rows.push({ tag: '', account: accountOf(n), dueAt: dueAt(n), payload });
        await this.insert(rows, channel);
      }
    };
    await Promise.all([writer(), writer(), writer()]);
  }
}

/** Rows in pieces of a statement each. */
function* pieces(rows: readonly BenchRow[]): Iterable<BenchRow[]> {
  let piece: BenchRow[] = [];
  let bytes = 0;
  for (const row of rows) {
    if (piece.length === ROWS_PER_INSERT || (piece.length > 0 && bytes + row.payload.length > BYTES_PER_INSERT)) {
      yield piece;
      piece = [];
      bytes = 0;
    }
    piece.push(row);
    bytes += row.payload.length;
  }
  if (piece.length > 0) yield piece;
}
