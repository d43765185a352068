import type { Admin, ITopicConfig, Kafka } from 'kafkajs';
import { Unavailable, UserError } from '../../topology/core/errors';
import type { KafkaSecurity } from '../../topology/settings/connections';
import { instructionOf } from './failures';
import { kafkaClient, retry } from './kafka-client';
import { type Durability, durabilitySettings, keepDurability, refuseTooFewBrokers } from './topic-durability';

const TOPIC_SETTINGS = {
  // Records bear the broker's time: it refuses those of a writer whose own clock is an hour or more ahead.
  'message.timestamp.type': 'LogAppendTime',
  // As they were written, which is without compression, whatever the broker's own setting is.
  'compression.type': 'producer',
};

export interface TopicSpec {
  /** With the namespace. */
  readonly name: string;
  readonly partitions: number;
  readonly settings?: Readonly<Record<string, string>>;
}

/**
 * Makes topics, adds partitions to those that have fewer than they should, and sets how safely they are kept.
 * @returns what is left as it is, a sentence each
 * @throws UserError for a topic that has more partitions, which cannot be taken away, and when there are too few brokers
 * @throws Unavailable when the broker does not answer
 */
export function setUpTopics(
  brokers: readonly string[],
  topics: readonly TopicSpec[],
  security?: KafkaSecurity,
  durability: Durability = {},
): Promise<string[]> {
  return withAdmin(clientOf(brokers, security), async (admin) => {
    const before = new Set(await admin.listTopics());
    const missing = topics.filter(({ name }) => !before.has(name));
    if (missing.length > 0) {
      await refuseTooFewBrokers(admin, durability);
      await admin.createTopics({ waitForLeaders: true, topics: missing.map((topic) => newTopic(topic, durability)) });
    }
    const known = await admin.fetchTopicMetadata({ topics: topics.map(({ name }) => name) });
    for (const { name, partitions } of topics) {
      const there = known.topics.find((topic) => topic.name === name)?.partitions.length ?? 0;
      if (there > partitions) {
        throw new UserError(
          `The topic ${name} has ${there} partitions and topology.yaml says ${partitions}: partitions cannot be taken away.`,
        );
      }
      if (there < partitions) {
        await admin.createPartitions({ topicPartitions: [{ topic: name, count: partitions }] });
      }
    }
    return keepDurability(admin, known.topics, durability);
  });
}

function newTopic({ name, partitions, settings = {} }: TopicSpec, durability: Durability): ITopicConfig {
  const { replicationFactor } = durability;
  const all = { ...TOPIC_SETTINGS, ...settings, ...durabilitySettings(durability) };
  return {
    topic: name,
    numPartitions: partitions,
    ...(replicationFactor === undefined ? {} : { replicationFactor }),
    configEntries: Object.entries(all).map(([entry, value]) => ({ name: entry, value })),
  };
}

/**
 * Shows every new record of a topic until it is closed. Throws Unavailable.
 * @param group of its own, removed in the end
 * @returns once new records cannot be missed any more
 */
export async function watchTopic(
  brokers: readonly string[],
  topic: string,
  group: string,
  onValue: (value: Buffer | null) => void,
  security?: KafkaSecurity,
): Promise<{ close: () => Promise<void> }> {
  const client = clientOf(brokers, security);
  const consumer = client.consumer({ groupId: group, maxWaitTimeInMs: 100, retry });
  try {
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: false });
    const fetched = new Promise<void>((resolve) => {
      consumer.on(consumer.events.FETCH, () => resolve());
    });
    await consumer.run({ autoCommit: false, eachMessage: async ({ message }) => onValue(message.value) });
    await fetched;
  } catch (error) {
    await consumer.disconnect();
    throw instructionOf(error);
  }
  return {
    close: async () => {
      await consumer.disconnect();
      // Kafka itself removes a group that nobody uses; that it cannot be done now is no reason to fail.
      await withAdmin(client, (admin) => admin.deleteGroups([group])).catch((error: unknown) => {
        if (!(error instanceof Unavailable)) throw error;
      });
    },
  };
}

function clientOf(brokers: readonly string[], security: KafkaSecurity = {}): Kafka {
  return kafkaClient({ brokers, clientId: 'downspout-set-up', log: () => undefined, security });
}

async function withAdmin<T>(client: Kafka, work: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = client.admin({ retry });
  try {
    await admin.connect();
    return await work(admin);
  } catch (error) {
    throw instructionOf(error);
  } finally {
    await admin.disconnect();
  }
}
