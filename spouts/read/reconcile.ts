import type { Clock, DatabaseClock } from '../../topology/core/clock';
import { Unavailable } from '../../topology/core/errors';
import type { ChannelMemory } from '../channel-memory';
import { beginning, shards } from '../memory/frontier';
import type { OpenRow, ShardCursor } from '../open-rows';
import { Repeating } from '../repeating';
import type { DatabaseContact } from './database-contact';
import { readPage } from './read-page';

/** A row is looked at when it is this much overdue: before, events and emission are just about to deal with it. */
const MOMENT = 500;
/** Part of the time that reconciling may take. */
const PART = 0.05;
/** The interval is not stretched beyond this many times itself. */
const MOST_STRETCH = 5;
/** A worker that lost the database with the spout has this long to renew its lease. Milliseconds: one lease. */
const RENEWAL = 10_000;
/** Until the database's clock is looked at again while it is not known, milliseconds. */
const CLOCK_AGAIN = 50;

export interface ReconcileParts {
  readonly channels: readonly ChannelMemory[];
  readonly rows: DatabaseContact;
  /** Milliseconds. */
  readonly interval: number;
  readonly clock: Clock;
  readonly databaseClock: DatabaseClock;
  readonly onError: (error: unknown) => void;
}

/** A channel's sweep over its overdue rows: how far each shard has come. A shard that is not named is done. */
interface Sweep {
  readonly channel: ChannelMemory;
  readonly cursors: Map<number, ShardCursor>;
  /** Monotonic milliseconds. */
  finishedAt: number;
}

/**
 * Finds what nothing else does: rows that are overdue and neither in memory nor pending, and rows of dead sessions. A sweep
 * that is long goes on in the next round from where it was, while the shards that were done begin anew.
 */
export class Reconcile {
  private readonly repeating: Repeating;
  private readonly sweeps: readonly Sweep[];

  constructor(private readonly parts: ReconcileParts) {
    this.repeating = new Repeating(parts.clock, () => this.round(), parts.onError);
    const finishedAt = parts.clock.monotonic();
    this.sweeps = parts.channels.map((channel) => ({ channel, cursors: new Map(), finishedAt }));
  }

  open(): void {
    this.repeating.kick();
  }

  close(): Promise<void> {
    return this.repeating.close();
  }

  /** Milliseconds since the channel's rows were last swept to the end. */
  age(channel: ChannelMemory): number {
    const sweep = this.sweeps.find((one) => one.channel === channel);
    return this.parts.clock.monotonic() - (sweep?.finishedAt ?? 0);
  }

  private async round(): Promise<number> {
    const { clock, interval } = this.parts;
    if (!Number.isFinite(this.parts.databaseClock.earliest())) return CLOCK_AGAIN;
    const began = clock.monotonic();
    const spent = () => clock.monotonic() - began;
    for (const sweep of this.sweeps) {
      begin(sweep);
      // First the acks, then the rows: the other way round a row that was just dealt with would be emitted again.
      await this.readAcks(sweep.channel);
    }
    let unfinished = this.sweeps.filter(({ cursors }) => cursors.size > 0);
    while (unfinished.length > 0 && !this.repeating.isClosed) {
      for (const sweep of unfinished) {
        // Apart, because many shards that begin would leave one that is long only few rows of the page.
        const [begun, fresh] = parted([...sweep.cursors.values()], ({ afterWake }) => afterWake > beginning.wakeAt);
        if (fresh.length > 0) await this.page(sweep, fresh);
        if (begun.length > 0) await this.page(sweep, begun);
      }
      unfinished = unfinished.filter(({ cursors }) => cursors.size > 0);
      if (spent() >= interval * PART) break;
    }
    return Math.min(Math.max(interval, spent() / PART), interval * MOST_STRETCH);
  }

  /** Without acks everything pending stays so, and the rows are worth reading all the same. */
  private async readAcks(channel: ChannelMemory): Promise<void> {
    try {
      await channel.acking.read();
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      this.parts.onError(error);
    }
  }

  private async page(sweep: Sweep, from: readonly ShardCursor[]): Promise<void> {
    const { channel, cursors } = sweep;
    const { entries } = channel;
    const below = this.parts.databaseClock.earliest() - MOMENT;
    if (!Number.isFinite(below)) return;
    const page = await readPage(this.parts.rows, channel, from, below);
    for (const { cursor, last } of page.reached) {
      // Beyond the frontier nothing is missing: it has not been read yet.
      if (last === undefined || !entries.frontier.passed(cursor.shard, last)) cursors.delete(cursor.shard);
      else cursors.set(cursor.shard, { shard: cursor.shard, afterWake: last.wakeAt, afterId: last.id });
    }
    for (const shard of cursors.keys()) if (!entries.frontier.owns(shard)) cursors.delete(shard);
    if (cursors.size === 0) sweep.finishedAt = this.parts.clock.monotonic();
    for (const row of page.rows) if (row.state === 'scheduled') entries.load(row);
    channel.emission.kick();
    await this.recover(
      channel,
      page.rows.filter((row) => row.state === 'sending'),
    );
  }

  private async recover(channel: ChannelMemory, rows: readonly OpenRow[]): Promise<void> {
    const sending = rows.flatMap(({ id, version, session }) => (session === null ? [] : [{ id, version, session }]));
    if (sending.length === 0) return;
    const sessions = [...new Set(sending.map(({ session }) => session))];
    const dead = new Set(await this.parts.rows.deadOf(sessions, this.parts.rows.steadyFor() >= RENEWAL));
    const left = sending.filter(({ session }) => dead.has(session));
    if (left.length > 0) await this.parts.rows.recover(left, channel.recoverDelay);
  }
}

/** Shards that were done begin anew; the others go on. */
function begin({ channel, cursors }: Sweep): void {
  for (let shard = 0; shard < shards; shard++) {
    if (!channel.entries.frontier.owns(shard)) cursors.delete(shard);
    else if (!cursors.has(shard)) cursors.set(shard, { shard, afterWake: beginning.wakeAt, afterId: beginning.id });
  }
}

function parted<T>(all: readonly T[], test: (one: T) => boolean): [T[], T[]] {
  return [all.filter(test), all.filter((one) => !test(one))];
}
