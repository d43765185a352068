import { captureNames, historyGroup } from '../../connectors/debezium/settings';
import { groupName } from '../../connectors/kafka/names';
import { due, SPOUT, topicName } from '../../topology/streams';

/** Who connects to Kafka, each as a principal of its own. */
export const kafkaRoles = ['worker', 'operator', 'cdc', 'connect'] as const;
export type KafkaRole = (typeof kafkaRoles)[number];

/** What a principal may do with topics or groups of one name. What implies another right stands alone: READ implies DESCRIBE. */
export interface Acl {
  readonly resource: 'topic' | 'group';
  readonly name: string;
  /** The name is the beginning of names. */
  readonly prefixed?: boolean;
  readonly operations: readonly string[];
}

/** Topics and group of a Connect cluster, by their names in docker-compose.yml; others may have other names. */
const CONNECT_TOPICS = ['connect-configs', 'connect-offsets', 'connect-status'];
const CONNECT_GROUP = 'connect';

/** Of the groups with which `provision` watches a change come through. */
export function probeGroups(namespace: string): string {
  return topicName(namespace, 'probe-');
}

/**
 * What each role needs of Kafka.
 *
 * - worker: spouts read changes and write tuples, bolts read tuples; spouts read how far the bolts' groups have committed, and count the
 *   workers of Connect.
 * - operator: `provision` and `deploy` make topics and add partitions; `status` and `lag` look.
 * - connect: the workers of Kafka Connect, which write what Debezium reads.
 * - cdc: Debezium's own connection, for its history of the schema.
 */
export function aclsOf(role: KafkaRole, namespace: string, channels: readonly string[]): Acl[] {
  const { changes, heartbeats, history } = captureNames(namespace);
  const tuples = channels.map((channel) => topicName(namespace, due(channel).name));
  const groups = [SPOUT, ...channels].map((component) => groupName(namespace, component));
  const acls: Readonly<Record<KafkaRole, Acl[]>> = {
    worker: [
      topic(changes, 'READ'),
      topic(heartbeats, 'DESCRIBE'),
      ...tuples.map((name) => topic(name, 'READ', 'WRITE')),
      ...groups.map((name) => group(name, 'READ')),
      // Kafka alone knows how many workers Connect has.
      group(CONNECT_GROUP, 'DESCRIBE'),
    ],
    operator: [
      topic(changes, 'CREATE', 'READ', 'ALTER', 'DESCRIBE_CONFIGS', 'ALTER_CONFIGS'),
      ...[heartbeats, history, ...tuples].map((name) =>
        topic(name, 'CREATE', 'ALTER', 'DESCRIBE_CONFIGS', 'ALTER_CONFIGS'),
      ),
      ...[...groups, CONNECT_GROUP].map((name) => group(name, 'DESCRIBE')),
      { ...group(probeGroups(namespace), 'READ', 'DELETE'), prefixed: true },
    ],
    cdc: [topic(history, 'READ', 'WRITE', 'DESCRIBE_CONFIGS'), group(historyGroup(namespace), 'READ')],
    connect: [
      ...CONNECT_TOPICS.map((name) => topic(name, 'CREATE', 'READ', 'WRITE', 'DESCRIBE_CONFIGS')),
      group(CONNECT_GROUP, 'READ'),
      ...[changes, heartbeats].map((name) => topic(name, 'WRITE')),
    ],
  };
  return acls[role];
}

function topic(name: string, ...operations: string[]): Acl {
  return { resource: 'topic', name, operations };
}

function group(name: string, ...operations: string[]): Acl {
  return { resource: 'group', name, operations };
}

/** The same as arguments of Kafka's tool: `--add --allow-principal User:x --operation READ --topic due.webhook`. */
export function kafkaAclsArguments({ resource, name, prefixed, operations }: Acl, principal: string): string[] {
  return [
    '--add',
    '--allow-principal',
    principal,
    ...operations.flatMap((operation) => ['--operation', operation]),
    `--${resource}`,
    name,
    ...(prefixed === true ? ['--resource-pattern-type', 'prefixed'] : []),
  ];
}
