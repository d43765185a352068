import type { Bolt, Delivery } from '../core/bolt';
import type { Clock, Timer } from '../core/clock';
import { Unavailable } from '../core/errors';
import type { BoltPart } from '../core/topology';
import type { Gauges } from '../gauges';
import { decode, type SkippedRecord } from './decode';
import { COMMIT_LIMIT_MS, type Ending, LEAVE_LIMIT_MS, within } from './ending';
import { OffsetTracker } from './offset-tracker';
import type { GroupMember, LogRecord, StreamsClient } from './streams-client';
import type { Task } from './task';

const COMMIT_EVERY_MS = 250;
/**
 * Marks that have not moved are committed too this often, because a topic that was deleted took its commits with it and the
 * spout waits for them.
 */
const COMMIT_ALL_EVERY_MS = 10_000;
/** A full bolt is asked this often whether it has room again. */
const ASK_FOR_ROOM_EVERY_MS = 20;
/** Records given to the bolt at once; between two slices the task asks whether there is room. */
const SLICE_RECORDS = 500;
/** The partitions are given away this long after draining began at the latest, because held messages wait for their next owner. */
const HAND_OVER_MS = 1_000;

export interface BoltTaskOptions<In> {
  readonly part: Pick<BoltPart<In>, 'name' | 'reads'>;
  readonly bolt: Bolt<In>;
  readonly streams: StreamsClient;
  readonly clock: Clock;
  readonly onSkip: (skipped: SkippedRecord) => void;
  /** Takes what was thrown. Anything but Unavailable ends the worker. */
  readonly onError: (error: unknown) => void;
}

/**
 * Feeds a bolt and commits for it.
 *
 * 1. A tuple's offset is committed only after its ack.
 * 2. A bad record is skipped and reported; its neighbours are delivered.
 * 3. A bolt without room is given nothing more until it has some.
 * 4. What is acked is committed on a rebalance and before the group is left.
 * 5. *Stopping hands the partitions over once nothing that was claimed waits for room*, so that no younger message of an account
 *    overtakes it, and after a second at the latest.
 * 6. After it has left, it holds nothing of its partitions, and begins with what is committed when it joins again.
 * 7. *A part that hangs, or a step that throws, keeps nothing else from its end*: what is claimed is finished while Kafka does not
 *    answer.
 */
export class BoltTask<In> implements Task {
  readonly component: string;
  private readonly tracker = new OffsetTracker();
  private member: GroupMember | undefined;
  private opened = false;
  private stopping = false;
  private full = false;
  private commitTimer: Timer | undefined;
  private roomTimer: Timer | undefined;
  private commits = Promise.resolve();
  /** When all marks were last committed, monotonic. */
  private committedAllMs = 0;

  constructor(private readonly options: BoltTaskOptions<In>) {
    this.component = options.part.name;
  }

  get partitions(): readonly number[] {
    return this.tracker.partitions;
  }

  gauges(): Gauges {
    return { ...this.options.bolt.gauges(), uncommitted: this.tracker.outstanding, full: Number(this.full) };
  }

  async open(): Promise<void> {
    const { part, bolt, streams, onError } = this.options;
    if (!this.opened) await bolt.open();
    this.opened = true;
    this.member = await streams.consume(part.name, part.reads.name, {
      rebalancing: () => void this.commit(),
      positionOf: (partition) => this.tracker.markOf(partition),
      assigned: (partitions) => this.assigned(partitions),
      records: (partition, records) => this.records(partition, records),
      crashed: onError,
    });
    // It was stopped meanwhile.
    if (this.stopping) await this.member.leave();
    if (this.full) this.member.pause();
    this.scheduleCommit();
  }

  async leave(): Promise<void> {
    const { member } = this;
    if (member === undefined) return;
    this.guard(() => member.pause());
    await within(this.options.clock, COMMIT_LIMIT_MS, this.commit());
    this.member = undefined;
    this.commitTimer?.cancel();
    await within(this.options.clock, LEAVE_LIMIT_MS, member.leave());
    this.assigned([]);
  }

  async stop(ending: Ending): Promise<boolean> {
    const { part, bolt, clock } = this.options;
    this.stopping = true;
    this.roomTimer?.cancel();
    this.guard(() => this.member?.pause());
    const begun = new AbortController();
    const drained = ending.step(`${part.name}: finishing what it has claimed`, () => bolt.drain(() => begun.abort()));
    await Promise.race([drained, clock.sleep(HAND_OVER_MS, begun.signal)]);
    begun.abort();
    this.commitTimer?.cancel();
    await ending.step(`${part.name}: committing`, () => this.commit(), COMMIT_LIMIT_MS);
    await ending.step(`${part.name}: leaving its group`, async () => this.member?.leave(), LEAVE_LIMIT_MS);
    const isFinished = await drained;
    await ending.step(`${part.name}: closing`, () => bolt.close());
    return isFinished;
  }

  private assigned(partitions: readonly number[]): void {
    this.guard(() => {
      const revoked = this.tracker.assign(partitions);
      if (revoked.length > 0) this.options.bolt.revoked(revoked);
    });
  }

  private records(partition: number, records: readonly LogRecord[]): number {
    let taken = 0;
    this.guard(() => {
      while (taken < records.length && !this.stopping && this.room()) {
        const slice = records.slice(taken, taken + SLICE_RECORDS);
        taken += slice.length;
        this.execute(partition, slice);
      }
    });
    return taken;
  }

  private execute(partition: number, records: readonly LogRecord[]): void {
    const { part, bolt, onSkip } = this.options;
    const deliveries: Delivery<In>[] = [];
    for (const record of records) {
      const ack = this.tracker.track(partition, record.offset);
      const tuple = decode(part.reads, partition, record, onSkip);
      if (tuple === undefined) ack();
      else deliveries.push({ tuple, ack });
    }
    bolt.execute(deliveries);
  }

  /** Whether the bolt has room; if it has none, nothing is fetched until it has. */
  private room(): boolean {
    if (this.full) return false;
    if (this.options.bolt.hasRoom()) return true;
    this.full = true;
    this.member?.pause();
    this.awaitRoom();
    return false;
  }

  private awaitRoom(): void {
    this.roomTimer = this.options.clock.after(ASK_FOR_ROOM_EVERY_MS, () => {
      this.guard(() => {
        if (this.stopping) return;
        if (!this.options.bolt.hasRoom()) {
          this.awaitRoom();
          return;
        }
        this.full = false;
        this.member?.resume();
      });
    });
  }

  private scheduleCommit(): void {
    if (this.stopping || this.member === undefined) return;
    this.commitTimer = this.options.clock.after(COMMIT_EVERY_MS, () => {
      void this.commit().then(() => this.scheduleCommit());
    });
  }

  /** One after another, so that a mark never goes back. */
  private commit(): Promise<void> {
    this.commits = this.commits.then(async () => {
      const now = this.options.clock.monotonic();
      const all = now - this.committedAllMs >= COMMIT_ALL_EVERY_MS;
      const { positions, committed } = this.tracker.toCommit(all);
      if (positions.length === 0 || this.member === undefined) return;
      try {
        await this.member.commit(positions);
        committed();
        if (all) this.committedAllMs = now;
      } catch (error) {
        this.options.onError(error);
      }
    });
    return this.commits;
  }

  /** Nothing may be thrown into the consumer, because it would stop for ever. */
  private guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.options.onError(error instanceof Unavailable ? new Error(error.message, { cause: error }) : error);
    }
  }
}
