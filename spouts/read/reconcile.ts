import type { Clock, DatabaseClock } from '../../topology/core/clock';
import { Unavailable } from '../../topology/core/errors';
import type { ChannelMemory } from '../channel-memory';
import { shards } from '../memory/frontier';
import { beginning } from '../memory/position';
import type { OpenRow, ShardCursor } from '../open-rows';
import { Repeating } from '../repeating';
import type { DatabaseContact } from './database-contact';
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
  /** The same for the recent rows of shards that are half way. */
  readonly recent: Map<number, ShardCursor>;
  /** Monotonic milliseconds. */
  finishedAt: number;
}

/**
 * Finds what events and buckets miss: rows that are overdue and neither in memory nor pending, and rows of dead sessions.
 * A sweep that takes more than one round continues in the next from where it was; the shards that it has swept start over.
 * Of a shard that is half way, because one account has very many overdue rows, each round also reads the first rows and the
 * recent ones, so that the rows of other accounts do not wait for the end of the sweep.
 */
export class Reconcile {
  private readonly repeating: Repeating;
  private readonly sweeps: readonly Sweep[];
  private readonly leases: LeaseWatch;
  private readonly refused: RefusedRows;

  constructor(private readonly parts: ReconcileParts) {
    this.leases = new LeaseWatch(parts.rows, parts.clock);
    this.refused = new RefusedRows(parts.clock);
    this.repeating = new Repeating(parts.clock, () => this.round(), parts.onError);
    const finishedAt = parts.clock.monotonic();
    this.sweeps = parts.channels.map((channel) => ({
      channel,
      cursors: new Map(),
      recent: new Map(),
      finishedAt,
    }));
  }

  open(): void {
    this.repeating.kick();
  }

  close(): Promise<void> {
    return this.repeating.close();
  }

  /** Time since the last sweep of the channel ended. */
  ageMs(channel: ChannelMemory): number {
    const sweep = this.sweeps.find((one) => one.channel === channel);
    return this.parts.clock.monotonic() - (sweep?.finishedAt ?? 0);
  }

  private async round(): Promise<number> {
    const { clock, intervalMs } = this.parts;
    if (!Number.isFinite(this.parts.databaseClock.earliest())) return CLOCK_UNKNOWN_RETRY_MS;
    const began = clock.monotonic();
    const spentMs = () => clock.monotonic() - began;
    await this.leases.look();
    for (const sweep of this.sweeps) {
      startOver(sweep);
      // First the acks, then the rows: in the other order the spout would emit a row again that was acked in between.
      await this.readAcks(sweep.channel);
    }
    for (const sweep of this.sweeps) await this.detour(sweep);
    let unfinished = this.sweeps.filter(({ cursors }) => cursors.size > 0);
    while (unfinished.length > 0 && !this.repeating.isClosed) {
      for (const sweep of unfinished) {
        // Two reads: the rows of a page are divided among its cursors, so many shards that start over would leave only a
        // few rows for a shard that is half way through.
        const [halfway, fresh] = parted([...sweep.cursors.values()], isHalfway);
        await this.advance(sweep, fresh);
        await this.advance(sweep, halfway);
      }
      unfinished = unfinished.filter(({ cursors }) => cursors.size > 0);
      if (spentMs() >= intervalMs * MAX_PART_OF_TIME) break;
    }
    // A round comes sooner when a lease ends sooner, so that a dead session's rows wait for one interval and not for two.
    const nextMs = Math.min(intervalMs, this.leases.nextEndMs ?? intervalMs);
    return Math.min(Math.max(nextMs, spentMs() / MAX_PART_OF_TIME), intervalMs * MAX_INTERVAL_STRETCH);
  }

  /** Without acks everything pending stays pending, but the rows are worth reading all the same. */
  private async readAcks(channel: ChannelMemory): Promise<void> {
    try {
      await channel.ackReader.read();
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      this.parts.onError(error);
    }
  }

  /** Reads the first and the recent rows of the shards that are half way. */
  private async detour(sweep: Sweep): Promise<void> {
    const halfway = [...sweep.cursors.values()].filter(isHalfway);
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
    await this.read(
      sweep.channel,
      halfway.map(({ shard }) => fromBeginning(shard)),
    );
    this.move(sweep, sweep.recent, await this.read(sweep.channel, [...sweep.recent.values()]));
  }

  private async advance(sweep: Sweep, from: readonly ShardCursor[]): Promise<void> {
    if (from.length === 0) return;
    this.move(sweep, sweep.cursors, await this.read(sweep.channel, from));
    if (sweep.cursors.size === 0) sweep.finishedAt = this.parts.clock.monotonic();
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
  private async read(channel: ChannelMemory, from: readonly ShardCursor[]): Promise<Page['reached']> {
    const below = this.parts.databaseClock.earliest() - MIN_OVERDUE_MS;
    if (from.length === 0 || !Number.isFinite(below)) return [];
    const page = await readPage(this.parts.rows, channel, from, below);
    for (const row of page.rows) if (row.state === 'scheduled') channel.entries.load(row);
    channel.emission.kick();
    await this.recover(
      channel,
      page.rows.filter((row) => row.state === 'sending'),
    );
    return page.reached;
  }

  private async recover(channel: ChannelMemory, rows: readonly OpenRow[]): Promise<void> {
    const sending = rows.flatMap(({ id, version, session }) =>
      session === null || this.refused.waits(id) ? [] : [{ id, version, session }],
    );
    if (sending.length === 0) return;
    const dead = await this.leases.deadOf([...new Set(sending.map(({ session }) => session))]);
    const lost = sending.filter(({ session }) => dead.has(session));
    if (lost.length === 0) return;
    const { refused } = await this.parts.rows.recover(lost, channel.recoverDelayMs);
    for (const { id, reason } of refused) {
      this.refused.add(id);
      this.parts.onError(new Unavailable(`message ${id} of a dead worker cannot be scheduled again: ${reason}`));
    }
  }
}

/** Shards that have been swept start over; the others continue where they were. */
function startOver({ channel, cursors }: Sweep): void {
  for (let shard = 0; shard < shards; shard++) {
    if (!channel.entries.frontier.owns(shard)) cursors.delete(shard);
    else if (!cursors.has(shard)) cursors.set(shard, fromBeginning(shard));
  }
}

function fromBeginning(shard: number): ShardCursor {
  return { shard, afterWake: beginning.wakeAt, afterId: beginning.id };
}

function isHalfway({ afterWake }: ShardCursor): boolean {
  return afterWake > beginning.wakeAt;
}

function parted<T>(all: readonly T[], test: (one: T) => boolean): [T[], T[]] {
  return [all.filter(test), all.filter((one) => !test(one))];
}
