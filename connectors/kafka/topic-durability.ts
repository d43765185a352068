import type { Admin, ITopicMetadata } from 'kafkajs';
import { UserError } from '../../topology/core/errors';
import { ConfigResourceTypes, ConfigSource } from './kafkajs';

/** How safely a topic's records are kept. What is not given is left to the brokers. */
export interface Durability {
  /** How many brokers keep each partition. */
  readonly replicationFactor?: number | undefined;
  /** How many of them must have a record before it counts as written. */
  readonly minInsyncReplicas?: number | undefined;
}

const MIN_INSYNC = 'min.insync.replicas';

/** The setting of a new topic. */
export function durabilitySettings({ minInsyncReplicas }: Durability): Record<string, string> {
  return minInsyncReplicas === undefined ? {} : { [MIN_INSYNC]: String(minInsyncReplicas) };
}

/** @throws UserError when there are fewer brokers than copies that a new topic is to have */
export async function refuseTooFewBrokers(admin: Admin, { replicationFactor = 1 }: Durability): Promise<void> {
  const { brokers } = await admin.describeCluster();
  if (brokers.length >= replicationFactor) return;
  throw new UserError(
    `topics.replicationFactor is ${replicationFactor}, and Kafka has ${brokers.length} brokers. Start more brokers, or lower it in topology.yaml.`,
  );
}

/**
 * Sets `min.insync.replicas` of topics that are there. How many copies a topic has is not changed, because moving partitions
 * takes hours and network that its owner must plan.
 * @returns what is left as it is, a sentence each
 */
export async function keepDurability(
  admin: Admin,
  topics: readonly ITopicMetadata[],
  { replicationFactor, minInsyncReplicas }: Durability,
): Promise<string[]> {
  const left: string[] = [];
  const fitting: string[] = [];
  for (const { name, partitions } of topics) {
    const copies = Math.min(...partitions.map(({ replicas }) => replicas.length));
    if (replicationFactor !== undefined && copies !== replicationFactor) {
      left.push(
        `${name} has ${copies} replicas and topology.yaml says ${replicationFactor}: kafka-reassign-partitions.sh of Kafka changes that`,
      );
    }
    if (minInsyncReplicas === undefined || copies >= minInsyncReplicas) fitting.push(name);
    else
      left.push(`${name} keeps its ${MIN_INSYNC}, because ${minInsyncReplicas} of ${copies} would refuse every record`);
  }
  if (minInsyncReplicas !== undefined && fitting.length > 0)
    await setMinInsync(admin, fitting, String(minInsyncReplicas));
  return left;
}

async function setMinInsync(admin: Admin, topics: readonly string[], value: string): Promise<void> {
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: topics.map((name) => ({ type: ConfigResourceTypes.TOPIC, name })),
  });
  const changed = resources.flatMap(({ resourceName, configEntries }) => {
    const own = configEntries.filter(({ configSource }) => configSource === ConfigSource.TOPIC_CONFIG);
    if (own.some(({ configName, configValue }) => configName === MIN_INSYNC && configValue === value)) return [];
    // Kafka forgets what is set for a topic and is not in this request.
    const others = own.filter(({ configName }) => configName !== MIN_INSYNC);
    const entries = others.map(({ configName, configValue }) => ({ name: configName, value: configValue }));
    const settings = [...entries, { name: MIN_INSYNC, value }];
    return [{ type: ConfigResourceTypes.TOPIC, name: resourceName, configEntries: settings }];
  });
  if (changed.length > 0) await admin.alterConfigs({ validateOnly: false, resources: changed });
}
