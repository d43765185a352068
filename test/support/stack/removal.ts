import { Connector } from '../../../connectors/debezium/connector';
import { captureNames } from '../../../connectors/debezium/settings';
import { kafkaClient, retry } from '../../../connectors/kafka/kafka-client';
import { Pool } from '../../../connectors/mysql/sql/pool';
import { systemClock } from '../../../topology/core/clock';
import { UserError } from '../../../topology/core/errors';
import { type Environment, required } from '../../../topology/settings/environment';
import { topicName } from '../../../topology/streams';

const CONNECTOR_LIMIT_MS = 60_000;

/** Removes everything that `provision` made, except the users, who may have other databases. */
export async function deprovision(environment: Environment): Promise<void> {
  const { DOWNSPOUT_NAMESPACE: namespace } = environment;
  if (namespace === '') throw new UserError('Only a deployment with a namespace can be removed.');
  const connector = new Connector(
    { url: required(environment, 'CONNECT_URL') },
    captureNames(namespace).connector,
    systemClock,
  );
  await connector.remove(CONNECTOR_LIMIT_MS);
  const prefix = topicName(namespace, '');
  await Promise.all([dropDatabase(environment), removeTopics(required(environment, 'KAFKA_BROKERS'), prefix)]);
}

/** Removes the database and every message in it. */
export async function dropDatabase(environment: Environment): Promise<void> {
  const url = required(environment, 'ADMIN_DATABASE_URL');
  const pool = Pool.open(url, { clock: systemClock, size: 1 });
  try {
    await pool.run(`DROP DATABASE IF EXISTS \`${new URL(url).pathname.slice(1)}\``);
  } finally {
    await pool.close();
  }
}

/** Removes every topic and idle consumer group whose name begins with `prefix`. */
export async function removeTopics(brokers: readonly string[], prefix: string): Promise<void> {
  const admin = kafkaClient({ brokers, clientId: 'downspout-test', log: () => undefined }).admin({ retry });
  await admin.connect();
  try {
    const topics = (await admin.listTopics()).filter((name) => name.startsWith(prefix));
    if (topics.length > 0) await admin.deleteTopics({ topics, timeout: 10_000 });
    const { groups } = await admin.listGroups();
    const ours = groups.map(({ groupId }) => groupId).filter((group) => group.startsWith(prefix));
    if (ours.length > 0) await admin.deleteGroups(ours);
  } finally {
    await admin.disconnect();
  }
}
