import type { Clock, Timer } from '../core/clock';
import { Unavailable } from '../core/errors';
import type { Assignment, Spout } from '../core/spout';
import type { SpoutPart } from '../core/topology';
import type { Tuple } from '../core/tuple';
import type { Gauges } from '../gauges';
import { decode, type SkippedRecord } from './decode';
import { COMMIT_LIMIT_MS, type Ending, LEAVE_LIMIT_MS, within } from './ending';
import type { GroupMember, LogRecord, PartitionOffset, StreamsClient } from './streams-client';
import type { Task } from './task';

const COMMIT_EVERY_MS = 5_000;
/** The partitions are given away this long after stopping began at the latest, because nothing is emitted of them meanwhile. */
const HAND_OVER_MS = 2_000;
/** What the spout has begun with a part that does not answer is given up after this. Others do it again. */
const CLOSE_LIMIT_MS = 6_000;

export interface SpoutTaskOptions<Feed> {
  readonly part: Pick<SpoutPart<Feed>, 'name' | 'feed'>;
  readonly spout: Spout<Feed>;
  readonly streams: StreamsClient;
  readonly clock: Clock;
  readonly onSkip: (skipped: SkippedRecord) => void;
  /** Takes what was thrown. Anything but Unavailable ends the worker. */
  readonly onError: (error: unknown) => void;
}

interface Progress {
  /** The offset of the next record. */
  next: number;
  /** Records of the partition that were not read yet, as of the last fetch. */
  lag: number;
  /** What was committed last. */
  committed?: number;
}

/**
 * Follows a feed for a spout.
 *
 * 1. A partition that stays continues where it was: no change is missed and none is fed twice.
 * 2. A bad record is skipped and reported; its neighbours are fed.
 * 3. The spout stops emitting before its partitions move to another task. (An append that Kafka does not answer is waited for two
 *    seconds: what comes of it after that is emitted once more, as may be at any change of owner.)
 * 4. A partition whose log ends before the position reached in it begins again at the end, as a new one: its topic was deleted and
 *    made again, or its last records were lost.
 * 5. The position reached in each partition is committed for people who look at the lag, and never read back.
 * 6. After it has left, its spout has no partitions, and each of them begins at the end when it joins again.
 * 7. A part that hangs, or a step that throws, keeps nothing else from its end.
 */
export class SpoutTask<Feed> implements Task {
  readonly component: string;
  private progress = new Map<number, Progress>();
  private assignment: Assignment = { partitions: [], of: 0 };
  private member: GroupMember | undefined;
  private opened = false;
  private stopping = false;
  private commitTimer: Timer | undefined;
  private committing: Promise<void> = Promise.resolve();

  constructor(private readonly options: SpoutTaskOptions<Feed>) {
    this.component = options.part.name;
  }

  get partitions(): readonly number[] {
    return [...this.progress.keys()];
  }

  gauges(): Gauges {
    let lag = 0;
    for (const progress of this.progress.values()) lag += progress.lag;
    return { ...this.options.spout.gauges(), feed_lag: lag };
  }

  async open(): Promise<void> {
    const { part, spout, streams, onError } = this.options;
    if (!this.opened) await spout.open();
    this.opened = true;
    this.member = await streams.follow(part.name, part.feed.name, {
      rebalancing: () => undefined,
      positionOf: (partition) => this.progress.get(partition)?.next,
      assigned: (assignment, starts) => this.assigned(assignment, starts),
      records: (partition, records, end) => this.records(partition, records, end),
      crashed: onError,
    });
    // It was stopped meanwhile.
    if (this.stopping) await this.member.leave();
    this.scheduleCommit();
  }

  async leave(): Promise<void> {
    const { member } = this;
    if (member === undefined) return;
    this.guard(() => member.pause());
    this.member = undefined;
    this.commitTimer?.cancel();
    await within(this.options.clock, COMMIT_LIMIT_MS, this.committing);
    await within(this.options.clock, LEAVE_LIMIT_MS, member.leave());
    this.assigned({ partitions: [], of: this.assignment.of }, []);
  }

  async stop(ending: Ending): Promise<boolean> {
    const { part, spout, clock } = this.options;
    this.stopping = true;
    this.commitTimer?.cancel();
    this.guard(() => this.member?.pause());
    const closed = ending.step(`${part.name}: finishing what it reads and emits`, () => spout.close(), CLOSE_LIMIT_MS);
    await within(clock, HAND_OVER_MS, closed);
    await ending.step(`${part.name}: committing`, () => this.committing, COMMIT_LIMIT_MS);
    await ending.step(`${part.name}: leaving its group`, async () => this.member?.leave(), LEAVE_LIMIT_MS);
    await closed;
    // It claims nothing.
    return true;
  }

  private assigned(assignment: Assignment, starts: readonly PartitionOffset[]): void {
    this.guard(() => {
      const before = this.progress;
      const restarted = new Set<number>();
      this.progress = new Map(
        starts.map(({ partition, offset }) => {
          const kept = before.get(partition);
          if (kept?.next === offset) return [partition, kept];
          if (kept !== undefined) restarted.add(partition);
          return [partition, { next: offset, lag: 0 }];
        }),
      );
      this.assign(assignment, restarted);
    });
  }

  /** The spout gives up the partitions that begin again before it gets them, so that it keeps nothing of them. */
  private assign(assignment: Assignment, restarted: ReadonlySet<number>): void {
    const { spout } = this.options;
    const { partitions, of } = assignment;
    this.assignment = assignment;
    if (restarted.size > 0) spout.assigned({ partitions: partitions.filter((one) => !restarted.has(one)), of });
    spout.assigned(assignment);
  }

  private records(partition: number, records: readonly LogRecord[], end: number): number {
    this.guard(() => {
      const { part, spout, onSkip } = this.options;
      const progress = this.progress.get(partition);
      if (progress === undefined) return;
      if (end < progress.next) {
        progress.next = records[0]?.offset ?? end;
        this.assign(this.assignment, new Set([partition]));
      }
      const tuples: Tuple<Feed>[] = [];
      for (const record of records) {
        if (record.offset < progress.next) continue;
        progress.next = record.offset + 1;
        const tuple = decode(part.feed, partition, record, onSkip);
        if (tuple !== undefined) tuples.push(tuple);
      }
      progress.lag = Math.max(0, end - progress.next);
      if (tuples.length > 0) spout.feed(tuples);
    });
    return records.length;
  }

  private scheduleCommit(): void {
    if (this.stopping || this.member === undefined) return;
    this.commitTimer = this.options.clock.after(COMMIT_EVERY_MS, () => {
      this.committing = this.commit();
      void this.committing.then(() => this.scheduleCommit());
    });
  }

  private async commit(): Promise<void> {
    const moved = [...this.progress].filter(([, { next, committed }]) => next !== committed);
    const positions = moved.map(([partition, { next }]) => ({ partition, offset: next }));
    if (positions.length === 0) return;
    try {
      await this.member?.commit(positions);
      for (const [index, [, progress]] of moved.entries())
        progress.committed = (positions[index] as PartitionOffset).offset;
    } catch (error) {
      this.options.onError(error);
    }
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
