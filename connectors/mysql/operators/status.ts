import type { MessageState } from '../../../topology/message';
import { NEEDS_PERSON } from '../schema/doubt';
import { isOutOfTime } from '../sql/failures';
import { integer, list, NOW_MS, text } from '../sql/literals';
import type { Pool } from '../sql/pool';
import { channelsIn } from './channel-names';

/** A number of messages. An estimate is the optimizer's, from samples of the index. */
export interface Figure {
  readonly count: number;
  readonly exact: boolean;
}

export interface StateCount extends Figure {
  readonly channel: string;
  /** `ended`: delivered or canceled, where the table is too large to tell them apart; of the channel `all` then. */
  readonly state: MessageState | 'ended';
}

/** What waits on a channel. Times are epoch milliseconds by the database's clock. */
export interface ChannelWaiting {
  readonly channel: string;
  /** Open rows: scheduled or being sent. */
  readonly open: number;
  /** False: `open` is an estimate. */
  readonly openIsExact: boolean;
  /** Of these, those that have woken already. */
  readonly overdue: number;
  /** False: `overdue` is an estimate, because there are millions. */
  readonly overdueIsExact: boolean;
  /** Rows that a worker is sending; null when too many are overdue to look at each. */
  readonly sending: number | null;
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
  /** The release it runs, the placement it fills and the supervisor that started it; null when a person started it. */
  readonly release: number | null;
  readonly replica: number | null;
  readonly supervisor: string | null;
  readonly statusUrl: string | null;
  readonly startedAt: number;
  readonly leaseUntil: number;
  /** `late`: its lease has run out, and no spout has marked it dead yet. */
  readonly state: 'alive' | 'late' | 'dead' | 'left';
  readonly partitions: Readonly<Record<string, readonly number[]>>;
  readonly gauges: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

/** Messages that an index has together. */
interface Rows {
  readonly index: 'open_by_wake' | 'needs_person';
  readonly where: string;
}

/** Every figure is read within this time or is an estimate. */
const COUNT_TIMEOUT_MS = 300;
/** A table that the optimizer takes for smaller is counted as a whole. */
const SMALL_TABLE_ROWS = 100_000;
/** A channel too; the optimizer never expects more than half of a table. */
const SMALL_CHANNEL_ROWS = SMALL_TABLE_ROWS / 2;
/** Channels that are shown besides those with a sender, and channels that are counted by their names. */
const MAX_CHANNELS_SHOWN = 20;
const MAX_CHANNELS_COUNTED = 200;
/** In place of the names of all other channels. */
const OTHER_CHANNELS = 'others';
const ENDED_WORKERS_SHOWN_MS = 3_600_000;
/** A worker may claim a row so long before its wake, and a bit. */
const CLAIMED_AHEAD_MS = 5_000;
const shards = Array.from({ length: 256 }, (_, shard) => shard);
const SHARDS = list(shards, integer);

/**
 * What `downspout status` reads from the database, within a second however many rows there are: what is overdue, wakes soon,
 * is being sent or needs a person is counted in the index that holds nothing else, everything else is an estimate in a large
 * table.
 */
export class Status {
  /** @param senders channels that are shown whatever number of others there is */
  constructor(
    private readonly pool: Pool,
    private readonly senders: readonly string[] = [],
  ) {}

  /** Epoch milliseconds by the database's clock. */
  async now(): Promise<number> {
    const [row] = await this.pool.rows<[number]>(`SELECT ${NOW_MS}`);
    return (row as [number])[0];
  }

  /**
   * Rows by channel and state; of channels that are not shown together, as channel `others`.
   * @param waiting what waits, when that is read anyway
   */
  async counts(waiting?: Promise<readonly ChannelWaiting[]>): Promise<StateCount[]> {
    const rows = await this.estimate();
    if (rows < SMALL_TABLE_ROWS) {
      const counted = await this.within<[string, MessageState, number]>(
        'channel, state, COUNT(*) FROM scheduled_messages GROUP BY channel, state ORDER BY channel, state',
      );
      if (counted !== null)
        return this.shown(counted.map(([channel, state, count]) => ({ channel, state, count, exact: true })));
    }
    return this.countsOfLargeTable(rows, await (waiting ?? this.waiting()));
  }

  /** What waits, by channel: those with a sender, and the first others. */
  async waiting(): Promise<ChannelWaiting[]> {
    const waiting = await Promise.all((await this.openChannels()).map((channel) => this.waitingOn(channel)));
    // The last row of a channel may have ended meanwhile.
    return waiting.filter(({ oldest }) => Number.isFinite(oldest));
  }

  /** How many more channels have open rows than `waiting` shows. Not exact: there are more than that. */
  async otherChannels(): Promise<Figure> {
    const { names, more } = await channelsIn(this.pool, 'open_by_wake', 'open=1', MAX_CHANNELS_COUNTED);
    const shown = new Set(await this.openChannels());
    return { count: names.filter((name) => !shown.has(name)).length, exact: !more };
  }

  /**
   * How many wake in each of the coming minutes, the present one included; minutes with none are left out. Null when there
   * are too many to count in a moment.
   */
  async byMinute(minutes: number): Promise<MinuteCount[] | null> {
    const counts: MinuteCount[] = [];
    for (const channel of await this.openChannels()) {
      const rows = await this.within<[number, number]>(
        'wake_at DIV 60000 * 60000 AS minute, COUNT(*) FROM scheduled_messages FORCE INDEX (open_by_wake) ' +
          `WHERE ${openOn(channel)} AND wake_at >= ${NOW_MS} DIV 60000 * 60000 ` +
          `AND wake_at < (${NOW_MS} DIV 60000 + ${integer(minutes)}) * 60000 GROUP BY minute`,
      );
      if (rows === null) return null;
      counts.push(...rows.map(([minute, count]) => ({ channel, minute, count })));
    }
    return counts.toSorted((a, b) => a.minute - b.minute || (a.channel < b.channel ? -1 : 1));
  }

  /** Workers that live, and those that ended within the last hour. */
  async workers(): Promise<WorkerStatus[]> {
    type Columns = [
      Buffer,
      string,
      string,
      number,
      string,
      number | null,
      number | null,
      Buffer | null,
      string | null,
      number,
      number,
      number,
      number | null,
      string | null,
      number,
    ];
    const rows = await this.pool.rows<Columns>(
      'SELECT session, components, host, pid, version, release_number, replica, supervisor, status_url, started_at, lease_until, dead, left_at, report, ' +
        `${NOW_MS} FROM workers WHERE lease_until > ${NOW_MS} - ${ENDED_WORKERS_SHOWN_MS} ORDER BY started_at, session`,
    );
    return rows.map((row) => {
      const [session, components, host, pid, version, release, replica, supervisor, ...others] = row;
      const [statusUrl, startedAt, leaseUntil, dead, leftAt, report, now] = others;
      const ended = leftAt === null ? 'dead' : 'left';
      return {
        session: session.toString('hex'),
        components: JSON.parse(components) as string[],
        host,
        pid,
        version,
        release,
        replica,
        supervisor: supervisor?.toString('hex') ?? null,
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

  private async countsOfLargeTable(rows: number, waiting: readonly ChannelWaiting[]): Promise<StateCount[]> {
    const counts: StateCount[] = waiting.flatMap(({ channel, open, openIsExact, sending }) => [
      { channel, state: 'scheduled' as const, count: open - (sending ?? 0), exact: openIsExact && sending !== null },
      ...(sending === null ? [] : [{ channel, state: 'sending' as const, count: sending, exact: true }]),
    ]);
    for (const [state, number] of Object.entries(NEEDS_PERSON) as [MessageState, number][]) {
      const needing: Rows = { index: 'needs_person', where: `needs_person=${number}` };
      const found = await this.within<[string, number]>(`channel, COUNT(*) ${fromOf(needing)} GROUP BY channel`);
      if (found === null) counts.push({ channel: 'all', state, count: await this.estimate(needing), exact: false });
      else counts.push(...this.shown(found.map(([channel, count]) => ({ channel, state, count, exact: true }))));
    }
    const others = counts.reduce((sum, { count }) => sum + count, 0);
    return [...counts, { channel: 'all', state: 'ended', count: Math.max(0, rows - others), exact: false }];
  }

  private async waitingOn(channel: string): Promise<ChannelWaiting> {
    const index = 'open_by_wake';
    const until = (wake: string): Rows => ({ index, where: `${openOn(channel)} AND wake_at <= ${wake}` });
    const [overdue, sending, open, oldest] = await Promise.all([
      this.figure(until(NOW_MS)),
      this.within<[number]>(`COUNT(*) ${fromOf(until(`${NOW_MS} + ${CLAIMED_AHEAD_MS}`))} AND state='sending'`),
      this.openOf({ index, where: `open=1 AND channel=${text(channel)}` }),
      this.oldestWake(channel),
    ]);
    return {
      channel,
      open: Math.max(open.count, overdue.count),
      openIsExact: open.exact,
      overdue: overdue.count,
      overdueIsExact: overdue.exact,
      sending: sending?.[0]?.[0] ?? null,
      oldest,
    };
  }

  private async openOf(all: Rows): Promise<Figure> {
    const count = await this.estimate(all);
    return count < SMALL_CHANNEL_ROWS ? this.figure(all) : { count, exact: false };
  }

  /** The earliest wake of a channel: one look-up in the index for each shard. */
  private async oldestWake(channel: string): Promise<number> {
    const ofShards = shards.map(
      (shard) =>
        '(SELECT wake_at FROM scheduled_messages FORCE INDEX (open_by_wake) ' +
        `WHERE open=1 AND channel=${text(channel)} AND shard=${integer(shard)} ORDER BY wake_at LIMIT 1)`,
    );
    const rows = await this.pool.rows<[number]>(ofShards.join(' UNION ALL '));
    return Math.min(...rows.map(([wake]) => wake));
  }

  private async openChannels(): Promise<string[]> {
    const most = MAX_CHANNELS_SHOWN + this.senders.length;
    const { names } = await channelsIn(this.pool, 'open_by_wake', 'open=1', most);
    return this.shownOf(names);
  }

  /** In the order of their names. */
  private shownOf(names: readonly string[]): string[] {
    const others = names.filter((name) => !this.senders.includes(name)).slice(0, MAX_CHANNELS_SHOWN);
    return [...this.senders, ...others].toSorted();
  }

  /** Adds up what belongs to channels that are not shown. */
  private shown(counts: readonly StateCount[]): StateCount[] {
    const names = new Set(this.shownOf([...new Set(counts.map(({ channel }) => channel))]));
    const others = new Map<StateCount['state'], number>();
    for (const { channel, state, count } of counts) {
      if (!names.has(channel)) others.set(state, (others.get(state) ?? 0) + count);
    }
    return [
      ...counts.filter(({ channel }) => names.has(channel)),
      ...[...others].map(([state, count]) => ({ channel: OTHER_CHANNELS, state, count, exact: true })),
    ];
  }

  private async figure(rows: Rows): Promise<Figure> {
    const counted = await this.within<[number]>(`COUNT(*) ${fromOf(rows)}`);
    const [count] = counted?.[0] ?? [];
    return count === undefined ? { count: await this.estimate(rows), exact: false } : { count, exact: true };
  }

  /**
   * How many rows the optimizer expects, of the table unless others are named. It looks into the index for each range, which
   * it does not do for an index that is forced, or for so many shards without being told.
   */
  private async estimate(rows?: Rows): Promise<number> {
    const of = rows === undefined ? '' : `USE INDEX (${rows.index}) WHERE ${rows.where}`;
    const plan = await this.pool.rows<(string | number | null)[]>(
      `EXPLAIN FORMAT=TRADITIONAL SELECT /*+ SET_VAR(eq_range_index_dive_limit=0) */ 1 FROM scheduled_messages ${of}`,
    );
    return Number(plan[0]?.[9] ?? 0);
  }

  /**
   * Null when it takes too long. Counted is what is there, committed or not: to find out what each row was like at one
   * moment costs minutes while rows are being inserted.
   */
  private async within<T extends readonly unknown[]>(select: string): Promise<T[] | null> {
    try {
      return await this.pool.use(async (sql) => {
        await sql.run('SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED');
        return sql.rows<T>(`SELECT /*+ MAX_EXECUTION_TIME(${COUNT_TIMEOUT_MS}) */ ${select}`);
      });
    } catch (error) {
      if (isOutOfTime(error)) return null;
      throw error;
    }
  }
}

function fromOf({ index, where }: Rows): string {
  return `FROM scheduled_messages FORCE INDEX (${index}) WHERE ${where}`;
}

/** The shards are listed because without them the wake would be no range of the index. */
function openOn(channel: string): string {
  return `open=1 AND channel=${text(channel)} AND shard IN ${SHARDS}`;
}
