import { captureNames } from '../../connectors/debezium/settings';
import { groupName } from '../../connectors/kafka/names';
import { setUpTopics, type TopicSpec } from '../../connectors/kafka/topic-set-up';
import type { Clock } from '../../topology/core/clock';
import { kafkaSecurityOf } from '../../topology/settings/connections';
import { type Environment, required } from '../../topology/settings/environment';
import type { TopologySettings } from '../../topology/settings/topology-settings';
import { due, SPOUT, topicName } from '../../topology/streams';

/** The topics of a deployment. Debezium would make that of the schema's history too, if it had the right to. */
export function topicsOf(namespace: string, settings: TopologySettings): TopicSpec[] {
  const names = captureNames(namespace);
  const { spout, bolts } = settings;
  return [
    { name: names.changes, partitions: spout.partitions, group: groupName(namespace, SPOUT) },
    { name: names.heartbeats, partitions: 1, settings: { 'retention.ms': '3600000', 'segment.ms': '600000' } },
    { name: names.history, partitions: 1, retentionMs: -1 },
    ...Object.entries(bolts).map(([channel, bolt]) => ({
      name: topicName(namespace, due(channel).name),
      partitions: bolt.partitions,
      group: groupName(namespace, channel),
    })),
  ];
}

/** Makes the topics, or compares those that others have made. @throws Unavailable */
export async function provisionTopics(
  environment: Environment,
  settings: TopologySettings,
  { clock, mayChange }: { readonly clock: Clock; readonly mayChange: boolean },
): Promise<{ text: string; faults: string[] }> {
  const specs = topicsOf(environment.DOWNSPOUT_NAMESPACE, settings);
  const brokers = required(environment, 'KAFKA_BROKERS');
  const security = kafkaSecurityOf(environment);
  const { faults, left, unread } = await setUpTopics(brokers, specs, security, settings.topics, { clock, mayChange });
  const listed = specs.map(({ name, partitions }) => `${name} (${partitions})`).join(', ');
  const note =
    unread.length === 0 ? '' : `; not known, for want of DESCRIBE_CONFIGS: the settings of ${unread.join(', ')}`;
  return {
    text: [`${listed}${note}`, ...left].join('; '),
    faults: faults.map(({ topic, text, remedy }) => `topic ${topic} ${text}: ${remedy}`),
  };
}
