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

/** Tuples in one produce. */
const MAX_TUPLES_PER_PRODUCE = 1_000;
/**
 * Tuples that are to be emitted within this part of a lead are emitted together, because then the bolt reads their rows
 * together too.
 */
const GROUPED_PART_OF_LEAD = 1 / 20;
/** A tuple that wakes within this part of a lead is emitted at once, without waiting for others. */
const URGENT_PART_OF_LEAD = 1 / 2;
/** A failed produce is repeated after 250 ms, doubling up to 10 s. */
const failedProduce = { baseMs: 250, capMs: 10_000 };
/** While entries wait, the emission looks again after this: a pause may be over, or the database's clock known better. */
const LOOK_AGAIN_MS = 1_000;
/** The same while the database's clock is not known at all. */
const CLOCK_UNKNOWN_RETRY_MS = 50;

export interface EmissionParts {
  readonly channel: string;
  readonly stream: Stream<Due>;
  readonly leadMs: number;
  readonly maxPending: number;
  readonly entries: Entries;
  readonly emitOrder: EmitOrder;
  readonly pending: Pending;
  readonly emit: Emit;
  readonly clock: Clock;
  readonly databaseClock: DatabaseClock;
  readonly pauses: Pauses;
  readonly onError: (error: unknown) => void;
}

/**
 * Emits a channel's entries at their wake − lead, or up to a twentieth of a lead later together with others. It has one
 * timer and one produce at a time; meanwhile entries gather for the next one.
 */
export class Emission {
  private timer: Timer | undefined;
  private producing: Promise<void> | undefined;
  /** Pending entries whose produce failed. They may be in Kafka or not, so they are emitted again. */
  private failed: Entry[] = [];
  private failures = 0;
  private backingOff = false;
  private closed = false;

  constructor(private readonly parts: EmissionParts) {}

  /** Emits what may be emitted now, or sets the timer for the next entry. Cheap when there is nothing to do. */
  kick(): void {
    if (this.closed || this.producing !== undefined || this.backingOff) return;
    this.timer?.cancel();
    this.timer = undefined;
    const now = this.parts.databaseClock.earliest();
    if (!Number.isFinite(now)) {
      if (this.parts.entries.size > 0) this.arm(CLOCK_UNKNOWN_RETRY_MS);
      return;
    }
    const batch = this.gather(now);
    if (batch.length > 0) this.producing = this.produce(batch);
    else if (this.parts.emitOrder.unfinished) this.arm(0);
    else if (this.parts.entries.size > 0) {
      const nextWake = this.isHeldUp() ? Number.POSITIVE_INFINITY : this.parts.entries.buckets.nextWake();
      this.arm(Math.min(Math.ceil(this.grouped(nextWake, Math.ceil) - this.parts.leadMs - now), LOOK_AGAIN_MS));
    }
  }

  /** True when entries wait for nothing but acks, or for the end of a pause. */
  get starved(): boolean {
    const { parked, accounts } = this.parts.entries;
    return this.isFull() || parked.accounts > 0 || accounts.overflowed.size > 0;
  }

  async close(): Promise<void> {
    this.closed = true;
    this.timer?.cancel();
    await this.producing;
  }

  private gather(now: number): Entry[] {
    const { parts } = this;
    if (parts.pauses.channelPaused(parts.channel)) return [];
    const batch = this.takeFailed();
    const room = Math.min(MAX_TUPLES_PER_PRODUCE - batch.length, parts.maxPending - parts.entries.pending);
    const until = Math.max(this.grouped(now + parts.leadMs, Math.floor), now + parts.leadMs * URGENT_PART_OF_LEAD);
    return room > 0 ? [...batch, ...parts.emitOrder.take(until, room)] : batch;
  }

  /** The end of the group of wakes that this instant belongs to. */
  private grouped(instant: number, round: (value: number) => number): number {
    const widthMs = this.parts.leadMs * GROUPED_PART_OF_LEAD;
    return widthMs === 0 ? instant : round(instant / widthMs) * widthMs;
  }

  /** Entries whose produce failed, unless their row was edited or their partition lost since then. */
  private takeFailed(): Entry[] {
    const { entries, pauses, channel } = this.parts;
    const batch: Entry[] = [];
    this.failed = this.failed.filter((entry) => {
      if (!entries.isCurrent(entry)) entries.acked(entry);
      else if (batch.length === MAX_TUPLES_PER_PRODUCE || pauses.paused(channel, entry.account.name)) return true;
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

  private arm(delayMs: number): void {
    this.timer = this.parts.clock.after(delayMs, () => {
      this.timer = undefined;
      this.backingOff = false;
      this.kick();
    });
  }
}
