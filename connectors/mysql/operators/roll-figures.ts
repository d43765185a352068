import { givenBackReasons } from '../../../topology/message';
import { isOutOfTime } from '../sql/failures';
import { integer, list, NOW_MS, text } from '../sql/literals';
import type { Pool } from '../sql/pool';

/** What came of attempts. */
interface AttemptCounts {
  readonly attempts: number;
  readonly failed: number;
  readonly late: number;
  readonly veryLate: number;
}

/** An attempt that ended so long after its wake is late, or very late. Milliseconds. */
interface LatenessBounds {
  readonly lateMs: number;
  readonly veryLateMs: number;
}

/** Messages of a channel that are overdue, and how many of them are of the account that has most. */
export interface OverdueCounts {
  readonly messages: number;
  readonly ofWorst: number;
}

/** Accounts at a limit that are left out of what is overdue. */
const MAX_LIMITED = 5_000;

/** By `channel/account`. */
export type AttemptsByAccount = ReadonlyMap<string, AttemptCounts>;

/** Newest attempts that are looked at in one step. */
const MOST_ATTEMPTS = 20_000;
const MOST_FAILING = 1_000;
const BASELINE_MS = 300_000;
const COUNT_TIMEOUT_MS = 1_000;
const SHARDS = list(
  Array.from({ length: 256 }, (_, shard) => shard),
  integer,
);

/** What the ledger says about the workers of one release beside those of others. */
export class RollLedger {
  private last = 0;
  /** A condition on messages `m`, without accounts whose every attempt failed before the roll. Empty: there are none. */
  private judged = '';
  /** Every pause that was seen during the roll, by channel and account. */
  private readonly pauses = new Map<string, readonly [channel: string, account: string]>();

  constructor(
    private readonly pool: Pool,
    private readonly bounds: LatenessBounds,
  ) {}

  /**
   * What the newest attempts of all workers came to, none older than five minutes. Later looks begin after them. Accounts that
   * failed only are left out then and later, because they say nothing of a release, wherever their partition comes to lie. What
   * releases did that were taken back is no measure for this one: the same fault would halt it only the first time.
   * @param releaseNumber what its workers did already is not from before the roll, where that was interrupted
   */
  async begin(releaseNumber: number): Promise<AttemptsByAccount> {
    this.last = await this.newest();
    const from = Math.max(0, this.last - MOST_ATTEMPTS);
    const isMeasure =
      'NOT EXISTS (SELECT 1 FROM workers w LEFT JOIN releases r ON r.number = w.release_number WHERE w.session = a.session ' +
      `AND (w.release_number = ${integer(releaseNumber)} OR r.outcome IN ('failed', 'rolled_back')))`;
    const failing = await this.pool.rows<[string, string]>(
      `SELECT m.channel, m.account FROM delivery_attempts a JOIN scheduled_messages m ON m.id = a.message_id ` +
        `WHERE ${rangeOf(from, this.last, BASELINE_MS)} AND ${isMeasure} GROUP BY m.channel, m.account ` +
        `HAVING SUM(a.outcome = 'delivered') = 0 LIMIT ${MOST_FAILING}`,
    );
    this.judged = failing.length === 0 ? '' : notAmong('m', failing);
    const range = `${rangeOf(from, this.last, BASELINE_MS)} AND ${isMeasure}`;
    return (await this.among(range, releaseNumber)).others;
  }

  /** Attempts since the last look, of the workers of this release and of all others. */
  async since(
    releaseNumber: number,
  ): Promise<{ readonly fresh: AttemptsByAccount; readonly others: AttemptsByAccount }> {
    const from = this.last;
    const to = await this.newest();
    this.last = to;
    return this.among(rangeOf(Math.max(from, to - MOST_ATTEMPTS), to), releaseNumber);
  }

  /**
   * Messages of these channels that wait, were not paused at any call and woke between `fromMs` and `toMs` ago; null when they
   * cannot be counted in a moment. Channels without any are left out. What is resumed during a roll is overdue without being the release's fault.
   */
  async overdue(
    channels: readonly string[],
    fromMs: number,
    toMs: number,
  ): Promise<ReadonlyMap<string, OverdueCounts> | null> {
    try {
      return await this.pool.use(async (sql) => {
        const pauses = await sql.rows<[string, string]>(
          `SELECT channel, account FROM pauses WHERE until_at IS NULL OR until_at > ${NOW_MS} UNION ALL ` +
            `(SELECT channel, account FROM account_limits FORCE INDEX (by_gate) WHERE gate_until > ${NOW_MS} LIMIT ${MAX_LIMITED})`,
        );
        for (const one of pauses) this.pauses.set(one.join('/'), one);
        const paused = [...this.pauses.values()];
        const isWhole = (name: string) => paused.some(([channel, account]) => channel === name && account === '');
        const counted = isWhole('') ? [] : channels.filter((channel) => !isWhole(channel));
        if (counted.length === 0) return new Map();
        const accounts = paused.filter(([, account]) => account !== '');
        const notPaused = accounts.length === 0 ? '' : ` AND ${notAmong('scheduled_messages', accounts)}`;
        await sql.run('SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED');
        const rows = await sql.rows<[string, string, number]>(
          `SELECT /*+ MAX_EXECUTION_TIME(${COUNT_TIMEOUT_MS}) */ channel, SUM(messages), MAX(messages) FROM ` +
            '(SELECT channel, COUNT(*) AS messages FROM scheduled_messages FORCE INDEX (open_by_wake) ' +
            `WHERE open=1 AND channel IN ${list(counted, text)} AND shard IN ${SHARDS} ` +
            `AND wake_at BETWEEN ${NOW_MS} - ${integer(fromMs)} AND ${NOW_MS} - ${integer(toMs)} AND state='scheduled'${notPaused} GROUP BY channel, account) AS accounts GROUP BY channel`,
        );
        return new Map(rows.map(([channel, messages, ofWorst]) => [channel, { messages: Number(messages), ofWorst }]));
      });
    } catch (error) {
      if (isOutOfTime(error)) return null;
      throw error;
    }
  }

  /** What was paused at any call of `overdue`: `channel/account`, `channel/`, or `/` for everything. */
  get paused(): ReadonlySet<string> {
    return new Set(this.pauses.keys());
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

  private async among(range: string, releaseNumber: number) {
    const isFresh = `COALESCE(w.release_number=${integer(releaseNumber)}, 0)`;
    const judged = this.judged === '' ? '' : `AND ${this.judged} `;
    const rows = await this.pool.rows<[number, string, string, number, string, string, string]>(
      `SELECT ${isFresh} AS is_fresh, m.channel, m.account, COUNT(*), SUM(a.outcome <> 'delivered'), ` +
        `${endedAfter(this.bounds.lateMs)}, ${endedAfter(this.bounds.veryLateMs)} FROM delivery_attempts a ` +
        `LEFT JOIN workers w ON w.session = a.session JOIN scheduled_messages m ON m.id = a.message_id ${judged}` +
        `WHERE ${range} GROUP BY is_fresh, m.channel, m.account`,
    );
    const of = (fresh: number): AttemptsByAccount =>
      new Map(
        rows
          .filter(([isIt]) => isIt === fresh)
          .map(([, channel, account, attempts, failed, late, veryLate]) => [
            `${channel}/${account}`,
            { attempts, failed: Number(failed), late: Number(late), veryLate: Number(veryLate) },
          ]),
      );
    return { fresh: of(1), others: of(0) };
  }
}

/**
 * Open messages that woke, or wake, at most so long ago or ahead.
 * @returns how many each second has, without empty ones; null when they cannot be counted in a moment
 */
export async function openPerSecond(
  pool: Pool,
  channels: readonly string[],
  withinMs: number,
): Promise<readonly number[] | null> {
  if (channels.length === 0) return [];
  try {
    const rows = await pool.rows<[number, number]>(
      `SELECT /*+ MAX_EXECUTION_TIME(${COUNT_TIMEOUT_MS}) */ wake_at DIV 1000 AS second, COUNT(*) FROM scheduled_messages ` +
        `FORCE INDEX (open_by_wake) WHERE open=1 AND channel IN ${list(channels, text)} AND shard IN ${SHARDS} ` +
        `AND wake_at BETWEEN ${NOW_MS} - ${integer(withinMs)} AND ${NOW_MS} + ${integer(withinMs)} GROUP BY second`,
    );
    return rows.map(([, count]) => count);
  } catch (error) {
    if (isOutOfTime(error)) return null;
    throw error;
  }
}

/**
 * Attempts `a` of these ids, none older than `youngerMs`. What was postponed is one of them: it is a fault of our own, such as a
 * proxy that a release names wrongly. What was given back is none, nor what was too late: nobody has tried it.
 */
function rangeOf(from: number, to: number, youngerMs?: number): string {
  const young = youngerMs === undefined ? '' : ` AND a.finished_at > ${NOW_MS} - ${integer(youngerMs)}`;
  const tried = `(a.started_at IS NOT NULL OR a.error IS NULL OR a.error NOT IN ${list(givenBackReasons, text)})`;
  return `a.id > ${integer(from)} AND a.id <= ${integer(to)}${young} AND a.outcome <> 'late' AND ${tried}`;
}

/** How many attempts `a` ended later than so long after their wake. */
function endedAfter(boundMs: number): string {
  return `SUM(a.finished_at - a.wake_at > ${integer(boundMs)})`;
}

/** The messages of a table that belong to none of these channels and accounts. */
function notAmong(table: string, these: readonly (readonly [channel: string, account: string])[]): string {
  const names = list(these, ([channel, account]) => `(${text(channel)},${text(account)})`);
  return `(${table}.channel, ${table}.account) NOT IN ${names}`;
}
