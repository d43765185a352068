import { createPool, type Pool, type RowDataPacket } from 'mysql2/promise';
import { systemClock } from '../../topology/core/clock';
import type { BenchRow } from './workload';

const ROWS_PER_INSERT = 1_000;
const DAY = 86_400_000;

/** The benchmark as an application: plain SQL, as any application may write it. */
export class BenchTable {
  private readonly pool: Pool;

  constructor(databaseUrl: string) {
    this.pool = createPool({ uri: databaseUrl, connectionLimit: 4, timezone: 'Z', supportBigNumbers: true });
  }

  /** Inserts in the order given, in transactions of a thousand. */
  async insert(rows: readonly BenchRow[], channel = 'webhook'): Promise<void> {
    for (let at = 0; at < rows.length; at += ROWS_PER_INSERT) {
      const some = rows.slice(at, at + ROWS_PER_INSERT);
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

  /** Messages above an id, by state. */
  async states(above: number): Promise<Record<string, number>> {
    const [rows] = await this.pool.query<RowDataPacket[]>(
      'SELECT state, COUNT(*) AS messages FROM scheduled_messages WHERE id > ? GROUP BY state',
      [above],
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
    const from = systemClock.now() + 365 * DAY;
    await this.preload(count, 'webhook', accountOf, payload, (n) => from + Math.floor((n / count) * 30 * DAY));
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
