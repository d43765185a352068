import type { Acks, PartitionAck } from '../../../spouts/acks';
import type { Clock } from '../../../topology/core/clock';
import { keyPartition } from '../../../topology/core/key-partition';
import { type Emit, type PartitionOf, PartlyEmitted } from '../../../topology/core/spout';
import type { Placement } from '../../../topology/core/tuple';

/** One record as the log keeps it. */
export interface LogRecord {
  readonly offset: number;
  /** When it was appended, epoch milliseconds. */
  readonly timestamp: number;
  readonly key: string;
  readonly value: Buffer;
}

interface Partition {
  /** The offset of the first record that is still there. */
  low: number;
  records: LogRecord[];
}

export type LogOperation = 'append' | 'acks';

/** Kafka in memory: topics of partitions, and the offsets that groups have committed. A key decides the partition. */
export class MemoryLog {
  /** Runs before an operation has its effect; throws for a broker that is away. */
  before: (operation: LogOperation) => Promise<void> | void = () => {};
  /** Runs after the effect; throws for an answer that is lost. */
  after: (operation: LogOperation) => Promise<void> | void = () => {};
  /** Partitions that take no records of `emit`, and whose ends nobody knows. */
  readonly leaderless = new Set<number>();
  private readonly topics = new Map<string, Partition[]>();
  private readonly committed = new Map<string, number>();

  constructor(private readonly clock: Clock) {}

  /** Makes the topic again, empty, from offset 0. What groups have committed stays unless `forget` is set. */
  create(topic: string, partitions: number, forget = true): void {
    this.topics.set(
      topic,
      Array.from({ length: partitions }, () => ({ low: 0, records: [] })),
    );
    if (!forget) return;
    for (const key of this.committed.keys()) if (key.split(' ')[1] === topic) this.committed.delete(key);
  }

  partitions(topic: string): number {
    return this.of(topic).length;
  }

  append(topic: string, key: string, value: Buffer, partition?: number): Placement {
    const partitions = this.of(topic);
    const index = partition ?? keyPartition(key, partitions.length);
    const { low, records } = this.at(topic, index);
    const offset = low + records.length;
    records.push({ offset, timestamp: this.clock.now(), key, value });
    return { partition: index, offset };
  }

  /** Records from `offset` on; from the first one that is left when that is gone. */
  read(topic: string, partition: number, offset: number, limit = Number.POSITIVE_INFINITY): readonly LogRecord[] {
    const { low, records } = this.at(topic, partition);
    const from = Math.max(0, offset - low);
    return records.slice(from, from + limit);
  }

  low(topic: string, partition: number): number {
    return this.at(topic, partition).low;
  }

  high(topic: string, partition: number): number {
    const { low, records } = this.at(topic, partition);
    return low + records.length;
  }

  commit(group: string, topic: string, partition: number, offset: number): void {
    this.committed.set(`${group} ${topic} ${partition}`, offset);
  }

  /** -1 when the group has committed nothing there. */
  committedOf(group: string, topic: string, partition: number): number {
    return this.committed.get(`${group} ${topic} ${partition}`) ?? -1;
  }

  /** Retention: records below `low` are gone. */
  dropBelow(topic: string, partition: number, low: number): void {
    const at = this.at(topic, partition);
    at.records = at.records.filter(({ offset }) => offset >= low);
    at.low = Math.max(at.low, low);
  }

  /** Lost records: those from `high` on are gone. */
  truncate(topic: string, partition: number, high: number): void {
    const at = this.at(topic, partition);
    at.records = at.records.filter(({ offset }) => offset < high);
  }

  /** A spout's way in; values are grouped by their `account`. */
  readonly emit: Emit = async (target, values) => {
    await this.before('append');
    const emitted = values.map((value) => {
      const { account } = value as { readonly account: string };
      const partition = keyPartition(account, this.partitions(target.name));
      if (this.leaderless.has(partition)) return { partition, offset: undefined };
      return this.append(target.name, account, target.codec.encode(value), partition);
    });
    await this.after('append');
    if (emitted.every((one): one is Placement => one.offset !== undefined)) return emitted;
    throw new PartlyEmitted('a partition has no leader', emitted);
  };

  /** The partition to which `emit` appends. */
  readonly partitionOf: PartitionOf = (target, value) =>
    keyPartition((value as { readonly account: string }).account, this.partitions(target.name));

  /** The acks of the group that reads a channel's topic. */
  acks(group: string): Acks {
    return {
      read: async (channel) => {
        await this.before('acks');
        const topic = `due.${channel}`;
        const acks: PartitionAck[] = this.of(topic).map((_, partition) => ({
          partition,
          committed: this.committedOf(group, topic, partition),
          low: this.leaderless.has(partition) ? 0 : this.low(topic, partition),
          high: this.leaderless.has(partition) ? Number.POSITIVE_INFINITY : this.high(topic, partition),
        }));
        await this.after('acks');
        return acks;
      },
    };
  }

  private of(topic: string): Partition[] {
    const partitions = this.topics.get(topic);
    if (partitions === undefined) throw new Error(`no topic ${topic}`);
    return partitions;
  }

  private at(topic: string, partition: number): Partition {
    const at = this.of(topic)[partition];
    if (at === undefined) throw new Error(`no partition ${partition} of ${topic}`);
    return at;
  }
}
