import { Unavailable } from '../core/errors';
import type { Assignment, Spout } from '../core/spout';
import type { SpoutPart } from '../core/topology';
import type { Tuple } from '../core/tuple';
import type { Gauges } from '../gauges';
import { decode, type SkippedRecord } from './decode';
import type { GroupMember, LogRecord, PartitionOffset, StreamsClient } from './streams-client';
import type { Task } from './task';

export interface SpoutTaskOptions<Feed> {
  readonly part: Pick<SpoutPart<Feed>, 'name' | 'feed'>;
  readonly spout: Spout<Feed>;
  readonly streams: StreamsClient;
  readonly onSkip: (skipped: SkippedRecord) => void;
  /** Takes what was thrown. Anything but Unavailable ends the worker. */
  readonly onError: (error: unknown) => void;
}

interface Progress {
  /** The offset of the next record. */
  next: number;
  /** Records of the partition that were not read yet, as of the last fetch. */
  lag: number;
}

/**
 * Follows a feed for a spout.
 *
 * 1. A partition that stays continues where it was: no change is missed and none is fed twice.
 * 2. A bad record is skipped and reported; its neighbours are fed.
 * 3. The spout stops emitting before its partitions move to another task.
 */
export class SpoutTask<Feed> implements Task {
  readonly component: string;
  private progress = new Map<number, Progress>();
  private member: GroupMember | undefined;
  private opened = false;

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
  }

  async stop(): Promise<void> {
    this.member?.pause();
    await this.options.spout.close();
    await this.member?.leave();
  }

  private assigned(assignment: Assignment, starts: readonly PartitionOffset[]): void {
    this.guard(() => {
      const before = this.progress;
      this.progress = new Map(
        starts.map(({ partition, offset }) => [partition, before.get(partition) ?? { next: offset, lag: 0 }]),
      );
      this.options.spout.assigned(assignment);
    });
  }

  private records(partition: number, records: readonly LogRecord[], end: number): number {
    this.guard(() => {
      const { part, spout, onSkip } = this.options;
      const progress = this.progress.get(partition);
      if (progress === undefined) return;
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

  /** Nothing may be thrown into the consumer, because it would stop for ever. */
  private guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.options.onError(error instanceof Unavailable ? new Error(error.message, { cause: error }) : error);
    }
  }
}
