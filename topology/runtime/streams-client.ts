import type { Assignment } from '../core/spout';

/** One record as it lies in the log. */
export interface LogRecord {
  readonly offset: number;
  /** Epoch milliseconds. */
  readonly timestamp: number;
  /** Null for a record without content. */
  readonly value: Buffer | null;
  /** Why the log cannot read what is there; the record stands for all of it, at its last offset. */
  readonly unreadable?: string;
}

/** A place in a partition: the offset of the next record to read. */
export interface PartitionOffset {
  readonly partition: number;
  readonly offset: number;
}

/** What a member of a group consumes for. Nothing here may throw. */
export interface GroupListener {
  /** A rebalance begins: a commit made now still counts. */
  readonly rebalancing: () => void;
  /** Where to continue in a partition that was owned until now and still is; undefined for all others. */
  readonly positionOf: (partition: number) => number | undefined;
  /**
   * Records of one partition, in order. Returns at once.
   * @param end the offset that the next record appended to the partition will have
   * @returns how many were taken, counted from the first; the others come again, after `resume` if the member was paused
   */
  readonly records: (partition: number, records: readonly LogRecord[], end: number) => number;
  /** The member is out of the group for good. */
  readonly crashed: (error: unknown) => void;
}

export interface BoltListener extends GroupListener {
  /** The member owns exactly these partitions from now on. Called before any record of them. */
  readonly assigned: (partitions: readonly number[]) => void;
}

export interface SpoutListener extends GroupListener {
  /**
   * The member owns exactly these partitions from now on. Called before any record of them.
   * @param starts where reading begins in each of them: where `positionOf` says, or at its end when it is new to the member or
   * when its log ends before that position
   */
  readonly assigned: (assignment: Assignment, starts: readonly PartitionOffset[]) => void;
}

/** One member of a group. */
export interface GroupMember {
  /** Stops fetching; the partitions stay owned. */
  pause(): void;
  resume(): void;
  /**
   * Commits for the group. Throws Unavailable when that is not certain. When a rebalance comes first nothing is committed,
   * which is ordinary: everything that is still owned afterwards has to be committed again.
   */
  commit(positions: readonly PartitionOffset[]): Promise<void>;
  /** Leaves the group at once, so that its partitions move to other members. Does not throw. */
  leave(): Promise<void>;
}

export interface AppendRecord {
  readonly partition: number;
  readonly value: Buffer;
}

/** What the runtime needs of the log that carries the streams. Streams go by their names, without namespace. */
export interface StreamsClient {
  /** How many partitions a stream has; remembered for a short while. Throws Unavailable. */
  partitions(stream: string): Promise<number>;
  /**
   * Appends records in the order given; resolves to their offsets when the log has them safely.
   * Throws Unavailable when that is not certain; some may have been appended all the same. Throws PartlyAppended when it is
   * known of which partitions that is true: one that has no leader holds up no other.
   */
  append(stream: string, records: readonly AppendRecord[]): Promise<number[]>;
  /**
   * Joins the group of a bolt. Reading begins at the group's committed offset, or at the first record.
   * Resolves after the first `assigned`. Throws Unavailable.
   */
  consume(component: string, stream: string, listener: BoltListener): Promise<GroupMember>;
  /**
   * Joins the group of a spout. Reading of a partition begins at its end, and `assigned` is called when the end is known, so
   * nothing that is appended afterwards is missed. What the group has committed is never read.
   * Resolves after the first `assigned`. Throws Unavailable.
   */
  follow(component: string, stream: string, listener: SpoutListener): Promise<GroupMember>;
}
