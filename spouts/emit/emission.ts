import type { Clock, DatabaseClock, Timer } from '../../topology/core/clock';
import { Unavailable } from '../../topology/core/errors';
import type { Pauses } from '../../topology/core/pauses';
import { backOff } from '../../topology/core/retry-policy';
import type { Emit } from '../../topology/core/spout';
import type { Stream } from '../../topology/core/stream';
import type { Due } from '../../topology/streams';
import type { Entries } from '../memory/entries';
import type { Entry } from '../memory/entry';
import type { EmitOrder } from './emit-order';
import type { Pending } from './pending';

/** Tuples in one produce at most. */
const BATCH = 1_000;
/** Of a lead: tuples whose time to go comes within this go together, and so do the reads that follow from them. */
const TOGETHER = 1 / 20;
/** Of a lead: what wakes within this is not kept waiting for company. */
const NEAR = 1 / 2;
/** A failed produce is repeated after 250 ms, doubling up to 10 s. */
const failedProduce = { maxAttempts: Number.POSITIVE_INFINITY, base: 250, cap: 10_000 };
/** Longest time between two looks while something waits: a pause may be over, the database's clock may be known better. */
const LOOK_AGAIN = 1_000;
/** The same while the database's clock is not known at all. */
const CLOCK_AGAIN = 50;

export interface EmissionParts {
  readonly channel: string;
  readonly stream: Stream<Due>;
  /** Milliseconds. */
  readonly leadMs: number;
  readonly maxPending: number;
  readonly entries: Entries;
  readonly woken: EmitOrder;
  readonly pending: Pending;
  readonly emit: Emit;
  readonly clock: Clock;
  readonly databaseClock: DatabaseClock;
  readonly pauses: Pauses;
  readonly onError: (error: unknown) => void;
}

/**
 * Emits a channel's entries at their wake − lead, give or take what goes together: one timer, and one produce at a time
 * while the next one gathers.
 */
export class Emission {
  private timer: Timer | undefined;
  private producing: Promise<void> | undefined;
  /** Pending entries whose produce failed: they may be in Kafka or not, so they are emitted again. */
  private failed: Entry[] = [];
  private failures = 0;
  private backingOff = false;
  private closed = false;

  constructor(private readonly parts: EmissionParts) {}

  /** Emits what may be emitted now, or sets the timer for what comes next. Cheap when there is nothing to do. */
  kick(): void {
    if (this.closed || this.producing !== undefined || this.backingOff) return;
    this.timer?.cancel();
    this.timer = undefined;
    const now = this.parts.databaseClock.earliest();
    if (!Number.isFinite(now)) {
      if (this.parts.entries.size > 0) this.arm(CLOCK_AGAIN);
      return;
    }
    const batch = this.gather(now);
    if (batch.length > 0) this.producing = this.produce(batch);
    else if (this.parts.woken.unfinished) this.arm(0);
    else if (this.parts.entries.size > 0) {
      const nextWake = this.isHeldUp() ? Number.POSITIVE_INFINITY : this.parts.entries.buckets.nextWake();
      this.arm(Math.min(Math.ceil(this.together(nextWake, Math.ceil) - this.parts.leadMs - now), LOOK_AGAIN));
    }
  }

  /** Entries wait only for acks, or for a pause to be over. */
  get starved(): boolean {
    const { blocked, accounts } = this.parts.entries;
    return this.isFull() || blocked.size > 0 || accounts.overflowed.size > 0;
  }

  async close(): Promise<void> {
    this.closed = true;
    this.timer?.cancel();
    await this.producing;
  }

  private gather(now: number): Entry[] {
    const { parts } = this;
    if (parts.pauses.channelPaused(parts.channel)) return [];
    const batch = this.again();
    const room = Math.min(BATCH - batch.length, parts.maxPending - parts.entries.pending);
    const until = Math.max(this.together(now + parts.leadMs, Math.floor), now + parts.leadMs * NEAR);
    return room > 0 ? [...batch, ...parts.woken.take(until, room)] : batch;
  }

  /** The instant that this one is emitted with. */
  private together(instant: number, round: (value: number) => number): number {
    const width = this.parts.leadMs * TOGETHER;
    return width === 0 ? instant : round(instant / width) * width;
  }

  /** Entries whose produce failed, unless they were edited or lost since then. */
  private again(): Entry[] {
    const { entries, pauses, channel } = this.parts;
    const batch: Entry[] = [];
    this.failed = this.failed.filter((entry) => {
      if (!entries.isCurrent(entry)) entries.acked(entry);
      else if (batch.length === BATCH || pauses.paused(channel, entry.account.name)) return true;
      else batch.push(entry);
      return false;
    });
    return batch;
  }

  private async produce(batch: readonly Entry[]): Promise<void> {
    const { parts } = this;
    const tuples = batch.map(({ id, account, wakeAt, version }) => ({
      id,
      account: account.name,
      channel: parts.channel,
      wakeAt,
      version,
    }));
    try {
      parts.pending.placed(batch, await parts.emit(parts.stream, tuples));
      this.failures = 0;
    } catch (error) {
      this.failed = [...batch, ...this.failed];
      this.failures++;
      this.backingOff = true;
      parts.onError(error);
      if (!(error instanceof Unavailable)) this.closed = true;
    }
    this.producing = undefined;
    if (this.closed) return;
    if (this.backingOff) this.arm(backOff(failedProduce, this.failures, 1));
    else this.kick();
  }

  private isFull(): boolean {
    return this.parts.entries.pending >= this.parts.maxPending;
  }

  private isHeldUp(): boolean {
    return this.isFull() || this.parts.pauses.channelPaused(this.parts.channel);
  }

  private arm(delay: number): void {
    this.timer = this.parts.clock.after(delay, () => {
      this.timer = undefined;
      this.backingOff = false;
      this.kick();
    });
  }
}
