import { Unavailable } from '../../../topology/core/errors';
import type { Gauges } from '../../../topology/gauges';
import type { MessageState } from '../../../topology/message';
import { integer, NOW_MS } from '../sql/literals';
import type { Pool } from '../sql/pool';

export interface StateCount {
  readonly channel: string;
  readonly state: MessageState;
  readonly count: number;
}

/** What waits on a channel. Times are epoch milliseconds by the database's clock. */
export interface ChannelWaiting {
  readonly channel: string;
  /** Open rows: scheduled or being sent. */
  readonly open: number;
  /** Of these, those that have woken already. */
  readonly overdue: number;
  /** The earliest wake. */
  readonly oldest: number;
}

export interface MinuteCount {
  readonly channel: string;
  /** The minute's first epoch millisecond. */
  readonly minute: number;
  readonly count: number;
}

export interface WorkerStatus {
  readonly session: string;
  readonly components: readonly string[];
  readonly host: string;
  readonly pid: number;
  readonly version: string;
  readonly statusUrl: string | null;
  readonly startedAt: number;
  readonly leaseUntil: number;
  /** `late`: its lease has run out, and no spout has marked it dead yet. */
  readonly state: 'alive' | 'late' | 'dead' | 'left';
  readonly partitions: Readonly<Record<string, readonly number[]>>;
  readonly gauges: Readonly<Record<string, Gauges>>;
}

/** Counting every row reads the whole table. If it takes longer, the answer is null. */
const COUNT_TIMEOUT_MS = 5_000;
const ENDED_WORKERS_SHOWN_MS = 3_600_000;

/** What `downspout status` reads from the database. */
export class Status {
  constructor(private readonly pool: Pool) {}

  /** Epoch milliseconds by the database's clock. */
  async now(): Promise<number> {
    const [row] = await this.pool.rows<[number]>(`SELECT ${NOW_MS}`);
    return (row as [number])[0];
  }

  /** Rows by channel and state; null when there are too many to count in a few seconds. */
  async counts(): Promise<StateCount[] | null> {
    try {
      const rows = await this.pool.rows<[string, MessageState, number]>(
        `SELECT /*+ MAX_EXECUTION_TIME(${COUNT_TIMEOUT_MS}) */ channel, state, COUNT(*) FROM scheduled_messages ` +
          'GROUP BY channel, state ORDER BY channel, state',
      );
      return rows.map(([channel, state, count]) => ({ channel, state, count }));
    } catch (error) {
      if (error instanceof Unavailable && /maximum statement execution time/i.test(error.message)) return null;
      throw error;
    }
  }

  /** By channel, from the index alone. */
  async waiting(): Promise<ChannelWaiting[]> {
    const rows = await this.pool.rows<[string, number, number, number]>(
      `SELECT channel, COUNT(*), CAST(SUM(wake_at <= ${NOW_MS}) AS SIGNED), MIN(wake_at) ` +
        'FROM scheduled_messages FORCE INDEX (open_by_wake) WHERE open=1 GROUP BY channel ORDER BY channel',
    );
    return rows.map(([channel, open, overdue, oldest]) => ({ channel, open, overdue, oldest }));
  }

  /** How many wake in each of the coming minutes, the present one included; minutes with none are left out. */
  async byMinute(minutes: number): Promise<MinuteCount[]> {
    const rows = await this.pool.rows<[string, number, number]>(
      'SELECT channel, wake_at DIV 60000 * 60000 AS minute, COUNT(*) FROM scheduled_messages FORCE INDEX (open_by_wake) ' +
        `WHERE open=1 AND wake_at >= ${NOW_MS} DIV 60000 * 60000 ` +
        `AND wake_at < (${NOW_MS} DIV 60000 + ${integer(minutes)}) * 60000 GROUP BY channel, minute ORDER BY minute, channel`,
    );
    return rows.map(([channel, minute, count]) => ({ channel, minute, count }));
  }

  /** Workers that live, and those that ended within the last hour. */
  async workers(): Promise<WorkerStatus[]> {
    type Columns = [
      Buffer,
      string,
      string,
      number,
      string,
      string | null,
      number,
      number,
      number,
      number | null,
      string | null,
      number,
    ];
    const rows = await this.pool.rows<Columns>(
      'SELECT session, components, host, pid, version, status_url, started_at, lease_until, dead, left_at, report, ' +
        `${NOW_MS} FROM workers WHERE lease_until > ${NOW_MS} - ${ENDED_WORKERS_SHOWN_MS} ORDER BY started_at, session`,
    );
    return rows.map((row) => {
      const [session, components, host, pid, version, statusUrl, startedAt, leaseUntil, dead, leftAt, report, now] =
        row;
      const ended = leftAt === null ? 'dead' : 'left';
      return {
        session: session.toString('hex'),
        components: JSON.parse(components) as string[],
        host,
        pid,
        version,
        statusUrl,
        startedAt,
        leaseUntil,
        state: dead === 1 ? ended : leaseUntil < now ? 'late' : 'alive',
        partitions: {},
        gauges: {},
        ...(report === null ? {} : (JSON.parse(report) as Pick<WorkerStatus, 'partitions' | 'gauges'>)),
      };
    });
  }
}
