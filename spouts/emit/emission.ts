import type { Clock, DatabaseClock, Timer } from '../../topology/core/clock';
import { Unavailable } from '../../topology/core/errors';
import type { Pauses } from '../../topology/core/pauses';
import { backOff } from '../../topology/core/retry-policy';
import { type Emit, type PartitionOf, PartlyEmitted } from '../../topology/core/spout';
import type { Stream } from '../../topology/core/stream';
import type { Placement } from '../../topology/core/tuple';
import type { Due } from '../../topology/streams';
import type { AccountMemory } from '../memory/accounts';
import type { Entries } from '../memory/entries';
import type { Entry } from '../memory/entry';
import type { EmitOrder } from './emit-order';
import type { Pending } from './pending';
import { StuckPartitions } from './stuck-partitions';

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
/** The same while the database's clock, or what is paused, is not known. */
const UNKNOWN_RETRY_MS = 50;

export interface EmissionParts {
  readonly channel: string;
  readonly stream: Stream<Due>;
  readonly leadMs: number;
  readonly maxPending: number;
  readonly entries: Entries;
  readonly emitOrder: EmitOrder;
  readonly pending: Pending;
  readonly emit: Emit;
  readonly partitionOf: PartitionOf;
  readonly clock: Clock;
  readonly databaseClock: DatabaseClock;
  readonly pauses: Pauses;
  readonly onError: (error: unknown) => void;
}

/**
 * Emits a channel's entries at their wake − lead, or up to a twentieth of a lead later together with others. It has one
 * timer and one produce at a time; meanwhile entries gather for the next one. A partition that does not confirm stops only
 * its own accounts: their entries wait as those of paused accounts do, and what failed is emitted again apart, with back-off.
 * While it is not known what is paused, nothing is emitted.
 */
export class Emission {
  private timer: Timer | undefined;
  private producing: Promise<void> | undefined;
  /** Pending entries whose whole produce failed. They may be in Kafka or not, so they are emitted again. */
  private failed: Entry[] = [];
  private failures = 0;
  private backingOff = false;
  private closed = false;
  private readonly stuck: StuckPartitions;
  private readonly retries = new Set<Promise<void>>();

  constructor(private readonly parts: EmissionParts) {
    this.stuck = new StuckPartitions(parts.clock, (partition) => this.retry(partition));
  }

  /** Emits what may be emitted now, or sets the timer for the next entry. Cheap when there is nothing to do. */
  kick(): void {
    if (this.closed || this.producing !== undefined || this.backingOff) return;
    this.timer?.cancel();
    this.timer = undefined;
    const now = this.parts.databaseClock.earliest();
    if (!Number.isFinite(now) || !this.parts.pauses.known()) {
      if (this.parts.entries.size > 0) this.arm(UNKNOWN_RETRY_MS);
      return;
    }
    const batch = this.gather(now);
    if (batch.length > 0) this.producing = this.produce(batch);
    else if (this.parts.emitOrder.unfinished && !this.isHeldUp()) this.arm(0);
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

  /** Appends under way. What failed is appended again in its order, so it is none of them. */
  get appends(): number {
    return Number(this.producing !== undefined) + this.retries.size;
  }

  /** True while the account's partition does not confirm: nothing else of the account is emitted. */
  isStuck(account: AccountMemory): boolean {
    if (this.stuck.size === 0) return false;
    const { partitionOf, stream, channel } = this.parts;
    const value = { id: 0, account: account.name, channel, wakeAt: 0, version: 0 };
    const partition = partitionOf(stream, value, account);
    return partition !== undefined && this.stuck.has(partition);
  }

  async close(): Promise<void> {
    this.closed = true;
    this.timer?.cancel();
    this.stuck.close();
    await Promise.all([this.producing, ...this.retries]);
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

  private takeFailed(): Entry[] {
    const { taken, left } = this.current(this.failed);
    this.failed = left;
    return taken;
  }

  /** The failed entries that may be emitted now, and those that wait; without those that were edited or lost meanwhile. */
  private current(failed: readonly Entry[]): { taken: Entry[]; left: Entry[] } {
    const { entries, pauses, channel } = this.parts;
    const taken: Entry[] = [];
    const mayEmit = pauses.known();
    const left = failed.filter((entry) => {
      if (!entries.isCurrent(entry)) entries.acked(entry);
      else if (!mayEmit || taken.length === MAX_TUPLES_PER_PRODUCE || pauses.paused(channel, entry.account.name))
        return true;
      else taken.push(entry);
      return false;
    });
    return { taken, left };
  }

  private async produce(batch: readonly Entry[]): Promise<void> {
    try {
      await this.send(batch);
      this.failures = 0;
    } catch (error) {
      this.failed = [...batch, ...this.failed];
      this.failures++;
      this.backingOff = true;
      this.report(error);
    }
    this.producing = undefined;
    if (this.closed) return;
    if (this.backingOff) this.arm(backOff(failedProduce, this.failures, 1));
    else this.kick();
  }

  /** Emits what a stuck partition did not confirm, beside everything else. */
  private retry(partition: number): void {
    if (this.closed) return;
    const batch = this.stuck.takeFrom(partition, (failed) => this.current(failed));
    if (batch.length === 0) {
      // What is left waits for the end of a pause. As for any failed entry, that holds up no other account.
      this.failed = this.failed.concat(this.stuck.takeAll(partition));
      this.release(partition);
      return;
    }
    const retrying = this.send(batch)
      .then((stuckAgain) => {
        if (!stuckAgain.has(partition)) this.retry(partition);
      })
      .catch((error: unknown) => {
        this.report(error);
        if (!this.closed) this.stuck.fail(partition, batch);
      })
      .finally(() => this.retries.delete(retrying));
    this.retries.add(retrying);
  }

  private release(partition: number): void {
    this.stuck.release(partition);
    this.parts.emitOrder.reconsider();
    this.kick();
  }

  /** @returns the partitions that did not confirm. @throws what `emit` throws when nothing is known of the partitions */
  private async send(batch: readonly Entry[]): Promise<ReadonlySet<number>> {
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
      return new Set();
    } catch (error) {
      if (!(error instanceof PartlyEmitted)) throw error;
      this.report(error);
      return this.split(batch, error.emitted);
    }
  }

  private split(batch: readonly Entry[], emitted: PartlyEmitted['emitted']): ReadonlySet<number> {
    const placed: Entry[] = [];
    const placements: Placement[] = [];
    const failed = new Map<number, Entry[]>();
    for (const [index, { partition, offset }] of emitted.entries()) {
      const entry = batch[index] as Entry;
      if (offset !== undefined) {
        placed.push(entry);
        placements.push({ partition, offset });
        continue;
      }
      const ofPartition = failed.get(partition);
      if (ofPartition === undefined) failed.set(partition, [entry]);
      else ofPartition.push(entry);
    }
    this.parts.pending.placed(placed, placements);
    if (!this.closed) for (const [partition, entries] of failed) this.stuck.fail(partition, entries);
    return new Set(failed.keys());
  }

  /** After anything but Unavailable, a bug, nothing is emitted any more. */
  private report(error: unknown): void {
    this.parts.onError(error);
    if (!(error instanceof Unavailable)) this.closed = true;
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
