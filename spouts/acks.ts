/** What Kafka knows of one partition of a due topic. */
export interface PartitionAck {
  readonly partition: number;
  /** The bolt group's committed offset: everything below is acked. -1 when the group has committed nothing yet. */
  readonly committed: number;
  /** The first offset still in the log. */
  readonly low: number;
  /** The offset of the next record; +Infinity, with `low` 0, while the partition has no leader that knows it. */
  readonly high: number;
}

/** The acks of a channel's bolt group. */
export interface Acks {
  /** @throws Unavailable when Kafka does not answer */
  read(channel: string): Promise<PartitionAck[]>;
}
