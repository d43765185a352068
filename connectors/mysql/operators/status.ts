import type { MessageState } from '../../../topology/message';
import { NEEDS_PERSON } from '../schema/doubt';
import { LATE, SKIPPED } from '../schema/late-rows';
import { integer, list, NOW_MS, text } from '../sql/literals';
import type { Pool } from '../sql/pool';
import { channelsIn } from './channel-names';
import { type Figure, fromOf, type IndexedRows, QuickCount } from './quick-count';

export interface StateCount extends Figure {
  readonly channel: string;
  /**
   * `skipped`: failed because they were not sent in time; they are not counted as `failed`. `ended`: delivered or canceled, where the
   * table is too large to tell them apart; of the channel `all` then.
   */
  readonly state: MessageState | 'skipped' | 'ended';
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
  /** Rows that a worker is sending; null when too many have woken, or wake in a moment, to look at each. */
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

/** A table that the optimizer takes for smaller is counted as a whole. */
const SMALL_TABLE_ROWS = 100_000;
/** A channel too; the optimizer never expects more than half of a table. */
const SMALL_CHANNEL_ROWS = SMALL_TABLE_ROWS / 2;
/** What has to be looked at row by row is not looked at where the optimizer expects more: it would not end in time. */
const MAX_ROWS_LOOKED_AT = 500_000;
/** Channels that are shown besides those with a sender, and channels that are counted by their names. */
const MAX_CHANNELS_SHOWN = 20;
const MAX_CHANNELS_COUNTED = 200;
/** In place of the names of all other channels. */
const OTHER_CHANNELS = 'others';
/** A worker may claim a row so long before its wake, and a bit. */
const CLAIMED_AHEAD_MS = 5_000;
const shards = Array.from({ length: 256 }, (_, shard) => shard);
const SHARDS = list(shards, integer);
/** Of one statement. Each look-up may wait for the disk, so those of some statements wait beside each other. */
const SHARDS_AT_A_TIME = 32;
const shardsAtATime = Array.from({ length: shards.length / SHARDS_AT_A_TIME }, (_, n) =>
  shards.slice(n * SHARDS_AT_A_TIME, (n + 1) * SHARDS_AT_A_TIME),
);

/**
 * What `downspout status` reads from the database, within a second however many rows there are: what is overdue, wakes soon,
 * is being sent or needs a person is counted in the index that holds nothing else, everything else is an estimate in a large
 * table.
 */
export class Status {
  private readonly counting: QuickCount;
  private openNow: Promise<string[]> | undefined;

  /** @param senders channels that are shown whatever number of others there is */
  constructor(
    private readonly pool: Pool,
    private readonly senders: readonly string[] = [],
  ) {
    this.counting = new QuickCount(pool);
  }

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
    const rows = await this.counting.estimate();
    if (rows < SMALL_TABLE_ROWS) {
      const counted = await this.counting.within<[string, StateCount['state'], number]>(
        `channel, IF(${SKIPPED}, 'skipped', state) AS called, COUNT(*) FROM scheduled_messages ` +
          'GROUP BY channel, called ORDER BY channel, MIN(state + 0), called',
      );
      if (counted !== null)
        return this.shown(counted.map(([channel, state, count]) => ({ channel, state, count, exact: true })));
    }
    return this.countsOfLargeTable(rows, waiting ?? this.waiting());
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
    const channels = await this.openChannels();
    const byChannel = await Promise.all(channels.map((channel) => this.byMinuteOn(channel, minutes)));
    const counts = byChannel.filter((rows) => rows !== null).flat();
    if (byChannel.includes(null)) return null;
    return counts.toSorted((a, b) => a.minute - b.minute || (a.channel < b.channel ? -1 : 1));
  }

  /** All at once: a count that ends after its time is waited for once, not one after the other. */
  private async countsOfLargeTable(rows: number, reading: Promise<readonly ChannelWaiting[]>): Promise<StateCount[]> {
    const states = Object.entries(NEEDS_PERSON) as [MessageState, number][];
    const [waiting, skipped, ...needing] = await Promise.all([
      reading,
      this.countsOf('skipped', { index: 'late_by_due', where: SKIPPED }),
      ...states.map(([state, number]) =>
        this.countsOf(state, { index: 'needs_person', where: `needs_person=${number}` }),
      ),
      this.countsOf('suspended', { index: 'suspended_by_due', where: 'suspended=1' }),
      this.countsOf('late', { index: 'late_by_due', where: LATE }),
    ]);
    const counts: StateCount[] = waiting.flatMap(({ channel, open, openIsExact, sending }) => [
      { channel, state: 'scheduled' as const, count: open - (sending ?? 0), exact: openIsExact && sending !== null },
      ...(sending === null ? [] : [{ channel, state: 'sending' as const, count: sending, exact: true }]),
    ]);
    counts.push(...skipped, ...needing.flat().map((one) => (one.state === 'failed' ? without(one, skipped) : one)));
    const others = counts.reduce((sum, { count }) => sum + count, 0);
    return [...counts, { channel: 'all', state: 'ended', count: Math.max(0, rows - others), exact: false }];
  }

  /** Rows of a state that an index has together. */
  private async countsOf(state: StateCount['state'], of: IndexedRows): Promise<StateCount[]> {
    const found = await this.counting.within<[string, number]>(`channel, COUNT(*) ${fromOf(of)} GROUP BY channel`);
    if (found === null) return [{ channel: 'all', state, count: await this.counting.estimate(of), exact: false }];
    return this.shown(found.map(([channel, count]) => ({ channel, state, count, exact: true })));
  }

  private async waitingOn(channel: string): Promise<ChannelWaiting> {
    const index = 'open_by_wake';
    const until = (wake: string): IndexedRows => ({ index, where: `${openOn(channel)} AND wake_at <= ${wake}` });
    const soon = until(`${NOW_MS} + ${CLAIMED_AHEAD_MS}`);
    const [overdue, open, sending, oldest] = await Promise.all([
      this.counting.figure(until(NOW_MS)),
      this.openOf({ index, where: `open=1 AND channel=${text(channel)}` }),
      this.sendingOf(soon),
      this.oldestWake(channel),
    ]);
    return {
      channel,
      // They are counted one after the other, while rows are being sent.
      open: Math.max(open.count, overdue.count, sending ?? 0),
      openIsExact: open.exact,
      overdue: overdue.count,
      overdueIsExact: overdue.exact,
      sending,
      oldest,
    };
  }

  /** Null when there are too many to look at each. */
  private async sendingOf(soon: IndexedRows): Promise<number | null> {
    if ((await this.counting.estimate(soon)) > MAX_ROWS_LOOKED_AT) return null;
    const counted = await this.counting.within<[number]>(`COUNT(*) ${fromOf(soon)} AND state='sending'`);
    return counted?.[0]?.[0] ?? null;
  }

  private async byMinuteOn(channel: string, minutes: number): Promise<MinuteCount[] | null> {
    const rows = await this.counting.within<[number, number]>(
      'wake_at DIV 60000 * 60000 AS minute, COUNT(*) FROM scheduled_messages FORCE INDEX (open_by_wake) ' +
        `WHERE ${openOn(channel)} AND wake_at >= ${NOW_MS} DIV 60000 * 60000 ` +
        `AND wake_at < (${NOW_MS} DIV 60000 + ${integer(minutes)}) * 60000 GROUP BY minute`,
    );
    return rows?.map(([minute, count]) => ({ channel, minute, count })) ?? null;
  }

  private async openOf(all: IndexedRows): Promise<Figure> {
    const count = await this.counting.estimate(all);
    return count < SMALL_CHANNEL_ROWS ? this.counting.figure(all) : { count, exact: false };
  }

  /** The earliest wake of a channel: one look-up in the index for each shard. */
  private async oldestWake(channel: string): Promise<number> {
    const ofShard = (shard: number) =>
      '(SELECT wake_at FROM scheduled_messages FORCE INDEX (open_by_wake) ' +
      `WHERE open=1 AND channel=${text(channel)} AND shard=${integer(shard)} ORDER BY wake_at LIMIT 1)`;
    const found = await Promise.all(
      shardsAtATime.map((some) => this.pool.rows<[number]>(some.map(ofShard).join(' UNION ALL '))),
    );
    return Math.min(...found.flat().map(([wake]) => wake));
  }

  /** Of several who ask at one time one reads them. */
  private openChannels(): Promise<string[]> {
    this.openNow ??= this.readOpenChannels().finally(() => {
      this.openNow = undefined;
    });
    return this.openNow;
  }

  private async readOpenChannels(): Promise<string[]> {
    const most = MAX_CHANNELS_SHOWN + this.senders.length;
    const { names, more } = await channelsIn(this.pool, 'open_by_wake', 'open=1', most);
    const shown = this.shownOf(names);
    // Of a sender whose name does not come that early it is not known whether anything waits.
    return more ? shown : shown.filter((channel) => names.includes(channel));
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
}

/** Of failed rows, those that were not skipped: the index has both. */
function without(failed: StateCount, skipped: readonly StateCount[]): StateCount {
  const among = skipped.find(({ channel }) => channel === failed.channel)?.count ?? 0;
  const exact = failed.exact && skipped.every((one) => one.exact);
  return { ...failed, count: Math.max(0, failed.count - among), exact };
}

/** The shards are listed because without them the wake would be no range of the index. */
function openOn(channel: string): string {
  return `open=1 AND channel=${text(channel)} AND shard IN ${SHARDS}`;
}
