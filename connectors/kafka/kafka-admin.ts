import type { Admin, Kafka } from 'kafkajs';
import { reasonOf, Unavailable } from '../../topology/core/errors';
import { instructionOf, type Needs, refusalOf } from './failures';
import { retry } from './kafka-client';
import { UNKNOWN_OFFSET } from './kafkajs-fixes';

/** The log of one partition. */
export interface PartitionLog {
  readonly partition: number;
  /** The first offset still there. */
  readonly low: number;
  /** The offset of the next record. */
  readonly high: number;
}

/** A partition of which no leader says where its log begins and ends. */
export interface UnknownLog {
  readonly partition: number;
  readonly low: undefined;
  readonly high: undefined;
}

/** How many copies there are of what topics hold. */
export interface KafkaCopies {
  /** Brokers that answer. */
  readonly brokers: number;
  readonly partitions: number;
  /** Partitions of which a broker lacks a copy that it should have. */
  readonly short: number;
}

/** Which partitions of a topic a member of a group owns. */
export interface GroupOwner {
  readonly member: string;
  readonly clientId: string;
  readonly host: string;
  /** Its assignment as Kafka keeps it. */
  readonly assignment: Buffer;
  /** What it said of itself when it joined. */
  readonly metadata: Buffer;
}

/** What Kafka knows of topics and groups, which have their full names here. Every call throws Unavailable. */
export class KafkaAdmin {
  private admin: Promise<Admin> | undefined;
  private queue: Promise<unknown> = Promise.resolve();

  constructor(private readonly kafka: Kafka) {}

  /** How many partitions a topic has now. */
  partitions(topic: string): Promise<number> {
    return this.run({ topic: [topic, 'DESCRIBE'] }, async (admin) => {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
      return topics[0]?.partitions.length ?? 0;
    });
  }

  /** Those of these topics that are there: how many partitions each has, and how many brokers keep the partition kept by fewest. */
  topics(names: readonly string[]): Promise<Map<string, { partitions: number; replicas: number }>> {
    return this.run({}, async (admin) => {
      const all = new Set(await admin.listTopics());
      const there = names.filter((name) => all.has(name));
      // The client takes no names at all for all topics.
      const { topics } = there.length === 0 ? { topics: [] } : await admin.fetchTopicMetadata({ topics: there });
      return new Map(
        topics.map(({ name, partitions }) => {
          const replicas = Math.min(...partitions.map((partition) => partition.replicas.length));
          return [name, { partitions: partitions.length, replicas }];
        }),
      );
    });
  }

  /** @returns null when the topic has so many partitions now, or could have; otherwise why Kafka refuses that */
  enlarge(topic: string, count: number, { validateOnly = false } = {}): Promise<string | null> {
    return this.run({}, async (admin) => {
      try {
        await admin.createPartitions({ validateOnly, topicPartitions: [{ topic, count }] });
        return null;
      } catch (error) {
        const refusal = refusalOf(error);
        if (refusal === undefined) throw error;
        // Where the answer was lost, the client has asked again, and Kafka refuses what it has done.
        const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
        return topics[0]?.partitions.length === count ? null : refusal;
      }
    });
  }

  /** The name that the cluster has given itself. */
  clusterId(): Promise<string> {
    return this.run({}, async (admin) => (await admin.describeCluster()).clusterId);
  }

  /** How many brokers the cluster has now. */
  brokers(): Promise<number> {
    return this.run({}, async (admin) => (await admin.describeCluster()).brokers.length);
  }

  /** The copies of these topics' partitions. */
  copies(topics: readonly string[]): Promise<KafkaCopies> {
    return this.run({}, async (admin) => {
      const { brokers } = await admin.describeCluster();
      const known = await admin.fetchTopicMetadata({ topics: [...topics] });
      const partitions = known.topics.flatMap((topic) => topic.partitions);
      const short = partitions.filter(({ replicas, isr }) => isr.length < replicas.length);
      return { brokers: brokers.length, partitions: partitions.length, short: short.length };
    });
  }

  /** The log of each partition, in the order of partitions. */
  async logs(topic: string): Promise<PartitionLog[]> {
    const logs = await this.logsIfKnown(topic);
    return logs.map((log) => {
      if (log.high === undefined) throw new Unavailable(`Kafka: partition ${log.partition} of ${topic} has no leader`);
      return log;
    });
  }

  /** The same, also while some partitions have no leader. */
  async logsIfKnown(topic: string): Promise<(PartitionLog | UnknownLog)[]> {
    const count = await this.partitions(topic);
    let logs = await this.rememberedLogs(topic);
    if (logs.length !== count) {
      // The client remembers a topic's partitions for minutes and cannot be told to forget them.
      await this.close();
      logs = await this.rememberedLogs(topic);
    }
    return logs;
  }

  /** Committed offsets of a group, by partition; -1 where nothing was committed. */
  committed(group: string, topic: string): Promise<Map<number, number>> {
    return this.run({ group: [group, 'DESCRIBE'], topic: [topic, 'DESCRIBE'] }, async (admin) => {
      const answers = await admin.fetchOffsets({ groupId: group, topics: [topic] });
      const partitions = answers.flatMap((answer) => answer.partitions);
      return new Map(partitions.map(({ partition, offset }) => [partition, Number(offset)]));
    });
  }

  /** The members of a group; none when it does not exist. */
  members(group: string): Promise<GroupOwner[]> {
    return this.run({ group: [group, 'DESCRIBE'] }, async (admin) => {
      const { groups } = await admin.describeGroups([group]);
      return (groups[0]?.members ?? []).map(({ memberId, clientId, clientHost, memberAssignment, memberMetadata }) => ({
        member: memberId,
        clientId,
        host: clientHost.replace(/^\//, ''),
        assignment: memberAssignment,
        metadata: memberMetadata,
      }));
    });
  }

  /** The groups whose members speak a protocol, `consumer` or `connect`, as far as the rights go. */
  groups(protocol: string): Promise<string[]> {
    return this.run({}, async (admin) => {
      const { groups } = await admin.listGroups();
      return groups.filter(({ protocolType }) => protocolType === protocol).map(({ groupId }) => groupId);
    });
  }

  async close(): Promise<void> {
    const admin = this.admin;
    this.admin = undefined;
    await (await admin?.catch(() => undefined))?.disconnect();
  }

  private rememberedLogs(topic: string): Promise<(PartitionLog | UnknownLog)[]> {
    return this.run({ topic: [topic, 'DESCRIBE'] }, async (admin) => {
      const offsets = await admin.fetchTopicOffsets(topic);
      return offsets
        .map(({ partition, low, high }) => logOf(partition, low, high))
        .toSorted((a, b) => a.partition - b.partition);
    });
  }

  /** One call after another, because overlapping calls spoil the client's memory of topics for each other. */
  private run<T>(needs: Needs, work: (admin: Admin) => Promise<T>): Promise<T> {
    const answer = this.queue.then(async () => {
      try {
        return await work(await this.connected());
      } catch (error) {
        // Whatever it is, even a TypeError inside the client: asking again is right.
        const instruction = instructionOf(error, needs);
        if (instruction instanceof Unavailable) throw instruction;
        throw new Unavailable(`Kafka: ${reasonOf(error)}`, { cause: error });
      }
    });
    this.queue = answer.catch(() => undefined);
    return answer;
  }

  private connected(): Promise<Admin> {
    this.admin ??= (async () => {
      const admin = this.kafka.admin({ retry });
      try {
        await admin.connect();
        return admin;
      } catch (error) {
        this.admin = undefined;
        await admin.disconnect();
        throw error;
      }
    })();
    return this.admin;
  }
}

function logOf(partition: number, low: string, high: string): PartitionLog | UnknownLog {
  if (low === UNKNOWN_OFFSET || high === UNKNOWN_OFFSET) return { partition, low: undefined, high: undefined };
  return { partition, low: Number(low), high: Number(high) };
}
