import type { Admin } from 'kafkajs';
import type { Clock } from '../../topology/core/clock';
import { Unavailable } from '../../topology/core/errors';
import { isDenied, isUnknownTopic } from './failures';
import { ConfigResourceTypes } from './kafkajs';
import type { TopicAsItIs } from './topic-faults';

/** How long until every broker knows a topic. */
const KNOWN_LIMIT_MS = 30_000;
const POLL_MS = 100;

/**
 * A topic as it is. Each question may come to another broker, and the last one knows a topic some time after the first.
 * @throws Unavailable when one does not know it for long
 */
export async function readTopic(admin: Admin, name: string, clock: Clock): Promise<TopicAsItIs> {
  const limit = clock.monotonic() + KNOWN_LIMIT_MS;
  for (;;) {
    const partitions = await partitionsOf(admin, name);
    const settings = partitions.length === 0 ? undefined : await settingsIn(admin, name);
    if (settings !== undefined) {
      const replicas = Math.min(...partitions.map(({ replicas: copies }) => copies.length));
      return { partitions: partitions.length, replicas, settings };
    }
    if (clock.monotonic() > limit) throw new Unavailable(`Kafka: a broker does not know the topic ${name}`);
    await clock.sleep(POLL_MS);
  }
}

/** None while the broker that is asked does not know it yet. */
export async function partitionsOf(admin: Admin, name: string) {
  try {
    if (!(await admin.listTopics()).includes(name)) return [];
    const { topics } = await admin.fetchTopicMetadata({ topics: [name] });
    return topics[0]?.partitions ?? [];
  } catch (error) {
    if (isUnknownTopic(error)) return [];
    throw error;
  }
}

/** @returns null when they may not be read, undefined while the broker that is asked does not know the topic yet */
async function settingsIn(admin: Admin, name: string): Promise<Record<string, string> | null | undefined> {
  try {
    const { resources } = await admin.describeConfigs({
      resources: [{ type: ConfigResourceTypes.TOPIC, name }],
      includeSynonyms: false,
    });
    const entries = resources.flatMap(({ configEntries }) => configEntries);
    return Object.fromEntries(entries.map(({ configName, configValue }) => [configName, configValue]));
  } catch (error) {
    if (isDenied(error)) return null;
    if (isUnknownTopic(error)) return undefined;
    throw error;
  }
}
