import type { Clock, DatabaseClock } from '../../topology/core/clock';
import { Unavailable } from '../../topology/core/errors';
import type { ChannelMemory } from '../channel-memory';
import { shards } from '../memory/frontier';
import { beginning } from '../memory/position';
import type { OpenRow, ShardCursor } from '../open-rows';
import { Repeating } from '../repeating';
import type { DatabaseContact } from './database-contact';
import { InTurn } from './in-turn';
import { LeaseWatch } from './lease-watch';
import { type Page, readPage } from './read-page';
import { RefusedRows } from './refused-rows';

/** Reconcile looks at rows that are so much overdue. Until then an event or the emission may still be handling them. */
const MIN_OVERDUE_MS = 500;
/** Part of the time that reconciling may take. */
const MAX_PART_OF_TIME = 0.05;
/** The interval is at most so many times the one in the settings. */
const MAX_INTERVAL_STRETCH = 5;
/** Rows that woke no longer ago than this are read in every round: a dead session's lease, and what a bolt drops, ends in it. */
const RECENT_MS = 60_000;
/** Reading from the very beginning of the index is made this much rarer than it takes, and in a minute once at least. */
const WHOLE_PART_OF_TIME = 1 / 20;
const MAX_BETWEEN_WHOLE_MS = 60_000;
/** Until the next try while the database's clock is not known. */
const CLOCK_UNKNOWN_RETRY_MS = 50;

export interface ReconcileParts {
  readonly channels: readonly ChannelMemory[];
  readonly rows: DatabaseContact;
  readonly intervalMs: number;
  readonly clock: Clock;
  readonly databaseClock: DatabaseClock;
  readonly onError: (error: unknown) => void;
}

/** A channel's sweep over its overdue rows: how far each shard has been read. A shard without a cursor has been swept. */
interface Sweep {
  readonly channel: ChannelMemory;
  readonly cursors: Map<number, ShardCursor>;
  /** Shards of which nothing was read yet in this sweep. */
  readonly fresh: Set<number>;
  /** The same for the recent rows of shards that are half way. */
  readonly recent: Map<number, ShardCursor>;
  /** By shard: no open row woke before, as far as is known. */
  readonly marks: Map<number, number>;
  /** When it may begin at the very beginning again, monotonic milliseconds. */
  wholeAt: number;
  /** Monotonic milliseconds. */
  finishedAt: number;
}

/**
 * Finds what events and buckets miss: rows that are overdue and neither in memory nor pending, and rows of dead sessions.
 * A sweep that takes more than one round continues in the next from where it was; the shards that it has swept start over.
 * Of a shard that is half way, because one account has very many overdue rows, each round also reads the first rows and the
 * recent ones, so that the rows of other accounts do not wait for the end of the sweep.
 *
 * While a transaction of somebody else reads the table as it was hours ago, the entries of all rows that ended since stay at the
 * beginning of the index. Where it takes long to get over them, a sweep begins at the first open row that the last one found.
 */
export class Reconcile {
  private readonly repeating: Repeating;
  private readonly sweeps: InTurn<Sweep>;
  private readonly leases: LeaseWatch;
  private readonly refused: RefusedRows;

  constructor(private readonly parts: ReconcileParts) {
    this.leases = new LeaseWatch(parts.rows, parts.clock);
    this.refused = new RefusedRows(parts.clock);
    this.repeating = new Repeating(parts.clock, () => this.round(), parts.onError);
    const finishedAt = parts.clock.monotonic();
    const sweeps = parts.channels.map((channel) => ({
      channel,
      cursors: new Map(),
      fresh: new Set<number>(),
      recent: new Map(),
      marks: new Map(),
      wholeAt: 0,
      finishedAt,
    }));
    this.sweeps = new InTurn<Sweep>(sweeps, parts);
  }

  open(): void {
    this.repeating.kick();
  }

  close(): Promise<void> {
    return this.repeating.close();
  }

  /** Time since the last sweep of the channel ended. */
  ageMs(channel: ChannelMemory): number {
    const sweep = this.sweeps.items.find((one) => one.channel === channel);
    return this.parts.clock.monotonic() - (sweep?.finishedAt ?? 0);
  }

  private async round(): Promise<number> {
    const { clock, databaseClock, intervalMs } = this.parts;
    const isClockKnown = () => Number.isFinite(databaseClock.earliest());
    if (!isClockKnown()) return CLOCK_UNKNOWN_RETRY_MS;
    const began = clock.monotonic();
    const spentMs = () => clock.monotonic() - began;
    const areLeasesKnown = await this.tolerant(() => this.leases.look());
    for (const sweep of this.sweeps.items) {
      startOver(sweep, began);
      // First the acks, then the rows: in the other order the spout would emit a row again that was acked in between.
      await this.tolerant(() => sweep.channel.ackReader.read());
    }
    let readable = await this.sweeps.each(this.sweeps.items, (sweep) => this.detour(sweep));
    // Without a clock nothing is read, and no sweep comes nearer to its end.
    for (
      let unfinished = unfinishedOf(readable);
      unfinished.length > 0 && !this.repeating.isClosed && isClockKnown();
    ) {
      readable = await this.sweeps.each(unfinished, async (sweep) => {
        // Two reads: the rows of a page are divided among its cursors, so many shards that start over would leave only a
        // few rows for a shard that is half way through.
        const fresh = [...sweep.cursors.values()].filter(({ shard }) => sweep.fresh.has(shard));
        const halfway = halfwayOf(sweep);
        await this.begin(sweep, fresh);
        await this.advance(sweep, halfway);
      });
      unfinished = unfinishedOf(readable);
      if (spentMs() >= intervalMs * MAX_PART_OF_TIME) break;
    }
    // A round comes sooner when a lease ends sooner, so that a dead session's rows wait for one interval and not for two. While leases
    // cannot be read none comes nearer to its end, and looking sooner would be of no use.
    const nextEndMs = areLeasesKnown ? this.leases.nextEndMs : undefined;
    const nextMs = Math.min(intervalMs, nextEndMs ?? intervalMs);
    return Math.min(Math.max(nextMs, spentMs() / MAX_PART_OF_TIME), intervalMs * MAX_INTERVAL_STRETCH);
  }

  /**
   * The rows are worth reading all the same: without acks everything pending stays pending, and without leases what dead workers have
   * left waits for another round.
   * @returns false when it could not be read
   */
  private async tolerant(look: () => Promise<void>): Promise<boolean> {
    try {
      await look();
      return true;
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      this.parts.onError(error);
      return false;
    }
  }

  /** Reads the first and the recent rows of the shards that are half way. */
  private async detour(sweep: Sweep): Promise<void> {
    const halfway = halfwayOf(sweep);
    const recentFrom = this.parts.databaseClock.earliest() - RECENT_MS;
    const shardsBehind = new Set<number>();
    for (const { shard, afterWake } of halfway) if (afterWake < recentFrom) shardsBehind.add(shard);
    for (const shard of sweep.recent.keys()) if (!shardsBehind.has(shard)) sweep.recent.delete(shard);
    for (const shard of shardsBehind) {
      const cursor = sweep.recent.get(shard);
      if (cursor === undefined || cursor.afterWake < recentFrom) {
        sweep.recent.set(shard, { shard, afterWake: recentFrom, afterId: 0 });
      }
    }
    const began = this.parts.clock.monotonic();
    const firsts = halfway.map(({ shard }) => firstOf(sweep, shard, began));
    try {
      const { rows } = await this.read(sweep.channel, firsts);
      for (const { shard, wakeAt } of rows) sweep.marks.set(shard, Math.min(wakeAt, sweep.marks.get(shard) ?? wakeAt));
    } finally {
      this.readFrom(sweep, firsts, began);
    }
    this.move(sweep, sweep.recent, (await this.read(sweep.channel, [...sweep.recent.values()])).reached);
  }

  /** Reads the first rows of shards that start over, and learns where the next sweep may begin. */
  private async begin(sweep: Sweep, from: readonly ShardCursor[]): Promise<void> {
    const { clock, databaseClock } = this.parts;
    if (from.length === 0) return;
    const began = clock.monotonic();
    sweep.fresh.clear();
    try {
      const recentFrom = databaseClock.earliest() - RECENT_MS;
      const firsts = await this.advance(sweep, from);
      for (const { shard } of from) sweep.marks.set(shard, Math.min(recentFrom, firsts.get(shard) ?? recentFrom));
    } catch (error) {
      // The next round begins at the marks.
      for (const { shard } of from) sweep.cursors.delete(shard);
      throw error;
    } finally {
      this.readFrom(sweep, from, began);
    }
  }

  /** After a read from the very beginning the next one has to wait. @param began monotonic milliseconds */
  private readFrom(sweep: Sweep, from: readonly ShardCursor[], began: number): void {
    if (!from.some(({ afterWake }) => afterWake === beginning.wakeAt)) return;
    const elapsedMs = this.parts.clock.monotonic() - began;
    const wholeAt = began + Math.min(MAX_BETWEEN_WHOLE_MS, elapsedMs / WHOLE_PART_OF_TIME);
    sweep.wholeAt = Math.max(sweep.wholeAt, wholeAt);
  }

  /** @returns the first wake that was found, by shard */
  private async advance(sweep: Sweep, from: readonly ShardCursor[]): Promise<ReadonlyMap<number, number>> {
    if (from.length === 0) return new Map();
    const { rows, reached } = await this.read(sweep.channel, from);
    this.move(sweep, sweep.cursors, reached);
    if (sweep.cursors.size === 0) sweep.finishedAt = this.parts.clock.monotonic();
    // In the order of their wakes, so that the first comes last here.
    return new Map(rows.toReversed().map(({ shard, wakeAt }) => [shard, wakeAt]));
  }

  private move({ channel }: Sweep, cursors: Map<number, ShardCursor>, reached: Page['reached']): void {
    const { frontier } = channel.entries;
    for (const { cursor, last } of reached) {
      // Beyond the frontier nothing is missing, because it has not been read yet.
      if (last === undefined || !frontier.passed(cursor.shard, last)) cursors.delete(cursor.shard);
      else cursors.set(cursor.shard, { shard: cursor.shard, afterWake: last.wakeAt, afterId: last.id });
    }
    for (const shard of cursors.keys()) if (!frontier.owns(shard)) cursors.delete(shard);
  }

  /** Reads one page of overdue rows, emits those that are missing in memory, and recovers those of dead sessions. */
  private async read(channel: ChannelMemory, from: readonly ShardCursor[]): Promise<Page> {
    const below = this.parts.databaseClock.earliest() - MIN_OVERDUE_MS;
    if (from.length === 0 || !Number.isFinite(below)) return { rows: [], reached: [] };
    const page = await readPage(this.parts.rows, channel, from, below);
    for (const row of page.rows) if (row.state === 'scheduled') channel.entries.load(row);
    channel.emission.kick();
    await this.recover(
      channel,
      page.rows.filter((row) => row.state === 'sending'),
    );
    return page;
  }

  private async recover(channel: ChannelMemory, rows: readonly OpenRow[]): Promise<void> {
    const sending = rows.flatMap(({ id, version, session }) =>
      session === null || this.refused.waits(id) ? [] : [{ id, version, session }],
    );
    if (sending.length === 0) return;
    const dead = await this.leases.deadOf([...new Set(sending.map(({ session }) => session))]);
    const lost = sending.filter(({ session }) => dead.has(session));
    if (lost.length === 0) return;
    const recovery = this.parts.rows.recover(lost, channel.recoverDelayMs).catch((failure: unknown) => {
      // The rows that were read are read all the same. These are found again in the next round.
      if (!(failure instanceof Unavailable)) throw failure;
      return { refused: [], failure };
    });
    const { refused, failure } = await recovery;
    if (failure !== undefined) this.parts.onError(failure);
    for (const { id, reason } of refused) {
      this.refused.add(id);
      this.parts.onError(new Unavailable(`message ${id} of a dead worker cannot be scheduled again: ${reason}`));
    }
  }
}

/** Shards that have been swept start over; the others continue where they were. @param now monotonic milliseconds */
function startOver(sweep: Sweep, now: number): void {
  const { channel, cursors, fresh, marks } = sweep;
  for (let shard = 0; shard < shards; shard++) {
    if (!channel.entries.frontier.owns(shard)) {
      cursors.delete(shard);
      marks.delete(shard);
    } else if (!cursors.has(shard)) {
      cursors.set(shard, firstOf(sweep, shard, now));
      fresh.add(shard);
    }
  }
}

/** Before the first open row of a shard. */
function firstOf({ marks, wholeAt }: Sweep, shard: number, now: number): ShardCursor {
  const mark = now < wholeAt ? marks.get(shard) : undefined;
  return mark === undefined
    ? { shard, afterWake: beginning.wakeAt, afterId: beginning.id }
    : { shard, afterWake: Math.floor(mark) - 1, afterId: 0 };
}

function halfwayOf({ cursors, fresh }: Sweep): ShardCursor[] {
  return [...cursors.values()].filter(({ shard }) => !fresh.has(shard));
}

function unfinishedOf(sweeps: readonly Sweep[]): Sweep[] {
  return sweeps.filter(({ cursors }) => cursors.size > 0);
}
