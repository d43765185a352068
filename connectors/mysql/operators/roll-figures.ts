import { isOutOfTime } from '../sql/failures';
import { integer, list, NOW_MS, text } from '../sql/literals';
import type { Pool } from '../sql/pool';

/** What came of attempts. */
export interface AttemptCounts {
  readonly attempts: number;
  readonly failed: number;
  readonly late: number;
}

/** Newest attempts that are looked at in one step. */
const MOST_ATTEMPTS = 20_000;
const BASELINE_MS = 300_000;
const COUNT_TIMEOUT_MS = 300;
const SHARDS = list(
  Array.from({ length: 256 }, (_, shard) => shard),
  integer,
);
const NONE: AttemptCounts = { attempts: 0, failed: 0, late: 0 };

/** What the ledger says about the workers of one release beside those of others. */
export class RollLedger {
  private last = 0;

  /** @param lateMs an attempt that ended so long after its wake is late */
  constructor(
    private readonly pool: Pool,
    private readonly lateMs: number,
  ) {}

  /** What the newest attempts of all workers came to, none older than five minutes. Later looks begin after them. */
  async begin(): Promise<AttemptCounts> {
    this.last = await this.newest();
    const { fresh, others } = await this.between(Math.max(0, this.last - MOST_ATTEMPTS), this.last, null, BASELINE_MS);
    return {
      attempts: fresh.attempts + others.attempts,
      failed: fresh.failed + others.failed,
      late: fresh.late + others.late,
    };
  }

  /** Attempts since the last look, of the workers of this release and of all others. */
  async since(releaseNumber: number): Promise<{ readonly fresh: AttemptCounts; readonly others: AttemptCounts }> {
    const from = this.last;
    const to = await this.newest();
    this.last = to;
    return this.between(Math.max(from, to - MOST_ATTEMPTS), to, releaseNumber);
  }

  /**
   * Messages of these channels that wait and woke between `fromMs` and `toMs` ago; null when they cannot be counted in a
   * moment.
   */
  async overdue(channels: readonly string[], fromMs: number, toMs: number): Promise<number | null> {
    if (channels.length === 0) return 0;
    try {
      return await this.pool.use(async (sql) => {
        await sql.run('SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED');
        const [row] = await sql.rows<[number]>(
          `SELECT /*+ MAX_EXECUTION_TIME(${COUNT_TIMEOUT_MS}) */ COUNT(*) FROM scheduled_messages FORCE INDEX (open_by_wake) ` +
            `WHERE open=1 AND channel IN ${list(channels, text)} AND shard IN ${SHARDS} ` +
            `AND wake_at BETWEEN ${NOW_MS} - ${integer(fromMs)} AND ${NOW_MS} - ${integer(toMs)} AND state='scheduled'`,
        );
        return row?.[0] ?? 0;
      });
    } catch (error) {
      if (isOutOfTime(error)) return null;
      throw error;
    }
  }

  /** The longest that a spout has seen nothing of CDC, milliseconds; null when no spout that watches it is alive. */
  async cdcSilentMs(): Promise<number | null> {
    const [row] = await this.pool.rows<[number | null]>(
      `SELECT MAX(CAST(report->'$.gauges.due.cdc_silent_ms' AS DOUBLE)) FROM workers WHERE dead=0 AND lease_until >= ${NOW_MS}`,
    );
    return row?.[0] ?? null;
  }

  private async newest(): Promise<number> {
    const [row] = await this.pool.rows<[number | null]>('SELECT MAX(id) FROM delivery_attempts');
    return row?.[0] ?? 0;
  }

  private async between(from: number, to: number, releaseNumber: number | null, youngerMs?: number) {
    const isFresh = releaseNumber === null ? '0' : `COALESCE(w.release_number=${integer(releaseNumber)}, 0)`;
    const young = youngerMs === undefined ? '' : ` AND a.finished_at > ${NOW_MS} - ${integer(youngerMs)}`;
    const rows = await this.pool.rows<[number, number, string, string]>(
      `SELECT ${isFresh} AS is_fresh, COUNT(*), SUM(a.outcome <> 'delivered'), SUM(a.finished_at - a.wake_at > ${integer(this.lateMs)}) ` +
        `FROM delivery_attempts a LEFT JOIN workers w ON w.session = a.session ` +
        `WHERE a.id > ${integer(from)} AND a.id <= ${integer(to)} AND a.outcome <> 'postponed'${young} GROUP BY is_fresh`,
    );
    const of = (fresh: number): AttemptCounts => {
      const row = rows.find(([isIt]) => isIt === fresh);
      return row === undefined ? NONE : { attempts: row[1], failed: Number(row[2]), late: Number(row[3]) };
    };
    return { fresh: of(1), others: of(0) };
  }
}
