import { changeEventCodec } from '../../connectors/debezium/change-event';
import { KafkaAdmin, type KafkaCopies } from '../../connectors/kafka/kafka-admin';
import { kafkaClient } from '../../connectors/kafka/kafka-client';
import { type PartitionLag, type Reading, readLag } from '../../connectors/kafka/lag';
import { kafkaSecurityOf } from '../../topology/settings/connections';
import { type Environment, required } from '../../topology/settings/environment';
import type { TopologySettings } from '../../topology/settings/topology-settings';
import { due, SPOUT, scheduleChanges, topicName } from '../../topology/streams';

/** Runs `work` with Kafka's administration. */
export async function withKafka<T>(environment: Environment, work: (admin: KafkaAdmin) => Promise<T>): Promise<T> {
  const brokers = required(environment, 'KAFKA_BROKERS');
  const security = kafkaSecurityOf(environment);
  // What goes wrong is thrown; the client's own lines would only repeat it.
  const admin = new KafkaAdmin(kafkaClient({ brokers, clientId: 'downspout-cli', log: () => undefined, security }));
  try {
    return await work(admin);
  } finally {
    await admin.close();
  }
}

/** Every stream of the topology, by the component that reads it. */
function readings({ bolts }: TopologySettings): Reading[] {
  return [
    { component: SPOUT, stream: scheduleChanges(changeEventCodec).name },
    ...Object.keys(bolts).map((channel) => ({ component: channel, stream: due(channel).name })),
  ];
}

/** The lag of every partition of every stream of the topology. */
export async function lagOf(
  environment: Environment,
  settings: TopologySettings,
  admin: KafkaAdmin,
): Promise<PartitionLag[]> {
  return fromTheBeginning(await readLag(admin, environment.DOWNSPOUT_NAMESPACE, readings(settings)));
}

/** How many copies there are of the streams' partitions. */
export function copiesOf(
  environment: Environment,
  settings: TopologySettings,
  admin: KafkaAdmin,
): Promise<KafkaCopies> {
  return admin.copies(readings(settings).map(({ stream }) => topicName(environment.DOWNSPOUT_NAMESPACE, stream)));
}

/** A bolt that has committed nothing begins with the first record, so all of them wait for it. A spout begins at the end. */
export function fromTheBeginning(lags: readonly PartitionLag[]): PartitionLag[] {
  return lags.map((row) => {
    if (row.committed !== null) return row;
    return { ...row, lag: row.component === SPOUT ? null : row.high - row.low };
  });
}

/** Tuples that no bolt has consumed, by component. Changes that a spout has not read are no tuples. */
export function queuedOf(lags: readonly PartitionLag[]): Record<string, number> {
  const queued: Record<string, number> = {};
  for (const { component, lag } of lags) {
    if (component !== SPOUT) queued[component] = (queued[component] ?? 0) + (lag ?? 0);
  }
  return queued;
}
