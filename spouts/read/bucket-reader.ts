import type { Clock, DatabaseClock } from '../../topology/core/clock';
import type { ChannelMemory } from '../channel-memory';
import type { AccountMemory } from '../memory/accounts';
import { BUCKET_MS } from '../memory/buckets';
import type { OpenRows, ShardCursor } from '../open-rows';
import { Repeating } from '../repeating';
import { InTurn } from './in-turn';
import { readPage } from './read-page';

/** How far ahead of now the spout keeps rows in memory. */
const HORIZON_MS = 60_000;
/** Until the next try while the database's clock is not known. */
const CLOCK_UNKNOWN_RETRY_MS = 50;
/** Until the next try of a channel that could not be read, while nothing is to be read of others. */
const FAILED_RETRY_MS = 500;

export interface BucketReaderParts {
  readonly channels: readonly ChannelMemory[];
  readonly rows: OpenRows;
  readonly clock: Clock;
  readonly databaseClock: DatabaseClock;
  readonly onError: (error: unknown) => void;
}

/**
 * Keeps memory filled: it moves each channel's frontier bucket by bucket, and reads the rows of overflowed accounts again.
 * It reads one page of each channel in turn, so that a long backlog of one channel does not hold up the others.
 */
export class BucketReader {
  private readonly repeating: Repeating;
  private readonly channels: InTurn<ChannelMemory>;

  constructor(private readonly parts: BucketReaderParts) {
    this.channels = new InTurn(parts.channels, parts);
    this.repeating = new Repeating(parts.clock, () => this.run(), parts.onError);
  }

  /** There may be something to read: at the start, after an assignment, and when there is room again. */
  kick(): void {
    this.repeating.kick();
  }

  close(): Promise<void> {
    return this.repeating.close();
  }

  private async run(): Promise<number> {
    const now = this.parts.databaseClock.earliest();
    if (!Number.isFinite(now)) return CLOCK_UNKNOWN_RETRY_MS;
    const bucketEnd = (Math.floor(now / BUCKET_MS) + 1) * BUCKET_MS;
    let found = false;
    const { items } = this.channels;
    const readable = await this.channels.each(items, async (channel) => {
      if (this.repeating.isClosed) return;
      if (await this.step(channel, bucketEnd + HORIZON_MS)) found = true;
    });
    if (found) return 0;
    return readable.length < items.length ? FAILED_RETRY_MS : bucketEnd - now;
  }

  /** Reads one page for the channel. @returns false when there is nothing to read, or no room for it */
  private async step(channel: ChannelMemory, target: number): Promise<boolean> {
    const { frontier, bound } = channel.entries;
    const hasRoom = bound.hasRoom();
    const cursors = frontier.behind(target);
    let found = false;
    if (cursors.length > 0 && hasRoom) {
      frontier.move(target);
      await this.open(channel, cursors, target);
      found = true;
    } else if (cursors.length > 0) frontier.stop();
    const account = bound.accountWithRoom(channel.isPaused);
    if (account === undefined) return found;
    await this.refill(channel, account);
    return true;
  }

  private async open(channel: ChannelMemory, cursors: readonly ShardCursor[], target: number): Promise<void> {
    const { entries } = channel;
    const page = await readPage(this.parts.rows, channel, cursors, target);
    // First the frontier: when memory overflows with these rows, it moves back to the first row that is dropped.
    for (const { cursor, last } of page.reached) entries.frontier.advance(cursor, last ?? { wakeAt: target, id: 0 });
    for (const row of page.rows) {
      if (row.state === 'scheduled') entries.load(row);
      else entries.forget(row.id, row.version);
    }
    channel.emission.kick();
  }

  /** Reads one page of an overflowed account's rows, from its limit on. */
  private async refill(channel: ChannelMemory, overflowed: AccountMemory): Promise<void> {
    const { entries } = channel;
    const { name, shard, limit } = overflowed;
    if (limit === undefined) return;
    // First memory takes the account's events again, then the rows are read: the same order as with the frontier.
    entries.accounts.admitAll(overflowed);
    let unread: typeof limit | undefined = limit;
    try {
      const cursor = { shard, afterWake: limit.wakeAt, afterId: limit.id - 1 };
      const page = await readPage(this.parts.rows, channel, [cursor], entries.frontier.at(shard).wakeAt + 1);
      const last = page.reached[0]?.last;
      unread = last && { wakeAt: last.wakeAt, id: last.id + 1 };
      for (const row of page.rows) if (row.state === 'scheduled') entries.load(row);
    } finally {
      // Meanwhile memory may have forgotten the account, or the account may have overflowed again.
      const account = entries.accounts.of(name, shard);
      if (unread !== undefined && account.admits(unread)) entries.bound.overflow(account, unread);
      entries.accounts.release(account);
    }
    channel.emission.kick();
  }
}
