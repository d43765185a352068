import { changeEventCodec } from '../connectors/debezium/change-event';
import { Connector, failuresOf } from '../connectors/debezium/connector';
import { captureNames, connectorSettings } from '../connectors/debezium/settings';
import { setUpTopics, type TopicSpec, watchTopic } from '../connectors/kafka/topic-set-up';
import { binlogFaults } from '../connectors/mysql/schema/binlog-settings';
import { migrate } from '../connectors/mysql/schema/migrate';
import { createUsers } from '../connectors/mysql/schema/users';
import { Pool } from '../connectors/mysql/sql/pool';
import { joinDeployment } from '../connectors/mysql/workers/deployment';
import type { Clock } from '../topology/core/clock';
import { BadRecord, UserError } from '../topology/core/errors';
import { kafkaSecurityOf, requiredConnect } from '../topology/settings/connections';
import { type Environment, required } from '../topology/settings/environment';
import type { TopologySettings } from '../topology/settings/topology-settings';
import { due, topicName } from '../topology/streams';
import { withKafka } from './inspect/kafka';

/** How long until the connector must run, and until a change must have come through. */
const CONNECTOR_LIMIT_MS = 60_000;
const CHANGE_LIMIT_MS = 30_000;
/** How often the probe changes until it is seen: what is committed before the connector reads the binlog is not. */
const PROBE_INTERVAL_MS = 250;
/** No topology has this channel, and it is due in the year 2100: the probe is never sent. */
const PROBE_CHANNEL = '_probe';
const PROBE_DUE = 4_102_444_800_000;

/** One thing that was made ready. */
export type ProvisionReport = (step: 'database' | 'topics' | 'connector' | 'changes', text: string) => void;

/**
 * Makes a deployment ready on parts that run: schema and users, topics, the connector; and sees a change come all the way
 * through. Repeating it changes nothing that is as it should be.
 * @throws UserError, Unavailable
 */
export async function provision(
  environment: Environment,
  settings: TopologySettings,
  clock: Clock,
  report: ProvisionReport,
): Promise<void> {
  const brokers = required(environment, 'KAFKA_BROKERS');
  const database = async () => {
    const statements = await migrate(required(environment, 'ADMIN_DATABASE_URL'));
    await createUsers(required(environment, 'ADMIN_DATABASE_URL'), {
      app: required(environment, 'DATABASE_URL'),
      worker: required(environment, 'WORKER_DATABASE_URL'),
      cdc: required(environment, 'CDC_DATABASE_URL'),
    });
    report('database', statements.length === 0 ? 'the schema is up to date' : 'the schema and its users are there');
  };
  const topics = async () => {
    const specs = topicsOf(environment.DOWNSPOUT_NAMESPACE, settings);
    const left = await setUpTopics(brokers, specs, kafkaSecurityOf(environment), settings.topics);
    const there = specs.map(({ name, partitions }) => `${name} (${partitions})`).join(', ');
    report('topics', [there, ...left].join('; '));
  };
  await Promise.all([database(), topics()]);
  await join(environment, clock);
  const connector = connectorOf(environment, clock);
  await connector.register(captureSettings(environment, settings), CONNECTOR_LIMIT_MS);
  report('connector', `${connector.name} and its task are RUNNING`);
  const took = await seeOneChange(environment, connector, clock);
  report('changes', `a change came through in ${Math.round(took)} ms`);
}

/** Nothing is made ready for a database that belongs to another deployment, or whose binlog CDC cannot read. */
async function join(environment: Environment, clock: Clock): Promise<void> {
  const cluster = await withKafka(environment, (admin) => admin.clusterId());
  const pool = Pool.open(required(environment, 'WORKER_DATABASE_URL'), { clock, size: 1 });
  try {
    await joinDeployment(pool, cluster, environment.DOWNSPOUT_NAMESPACE);
    const faults = await pool.use(binlogFaults);
    if (faults.length > 0) {
      throw new UserError(`CDC cannot work with the binlog settings of this MySQL server:\n  ${faults.join('\n  ')}`);
    }
  } finally {
    await pool.close();
  }
}

/** What the connector is registered with. @throws UserError */
export function captureSettings(environment: Environment, settings: TopologySettings): Record<string, string> {
  return connectorSettings({
    databaseUrl: required(environment, 'CDC_DATABASE_URL'),
    brokers: environment.CONNECT_KAFKA_BROKERS ?? required(environment, 'KAFKA_BROKERS').join(','),
    namespace: environment.DOWNSPOUT_NAMESPACE,
    partitions: settings.spout.partitions,
    security: kafkaSecurityOf(environment),
    stores: {
      truststore: environment.CDC_SSL_TRUSTSTORE,
      truststorePassword: environment.CDC_SSL_TRUSTSTORE_PASSWORD,
      keystore: environment.CDC_SSL_KEYSTORE,
      keystorePassword: environment.CDC_SSL_KEYSTORE_PASSWORD,
    },
    databasePasswordReference: environment.CDC_PASSWORD_REFERENCE,
    kafkaPasswordReference: environment.CONNECT_KAFKA_PASSWORD_REFERENCE,
  });
}

/** The topics of a deployment. The connector's own are made by itself, but for the heartbeats'. */
function topicsOf(namespace: string, settings: TopologySettings): TopicSpec[] {
  const names = captureNames(namespace);
  const { spout, bolts } = settings;
  return [
    { name: names.changes, partitions: spout.partitions },
    { name: names.heartbeats, partitions: 1, settings: { 'retention.ms': '3600000', 'segment.ms': '600000' } },
    ...Object.entries(bolts).map(([channel, bolt]) => ({
      name: topicName(namespace, due(channel).name),
      partitions: bolt.partitions,
    })),
  ];
}

function connectorOf(environment: Environment, clock: Clock): Connector {
  return new Connector(requiredConnect(environment), captureNames(environment.DOWNSPOUT_NAMESPACE).connector, clock);
}

/** @returns milliseconds from the commit of a change to its arrival */
async function seeOneChange(environment: Environment, connector: Connector, clock: Clock): Promise<number> {
  const namespace = environment.DOWNSPOUT_NAMESPACE;
  const pool = Pool.open(required(environment, 'DATABASE_URL'), { clock, size: 1 });
  const committed = new Map<number, number>();
  const seen = new AbortController();
  let id = 0;
  let took = 0;
  const watch = await watchTopic(
    required(environment, 'KAFKA_BROKERS'),
    captureNames(namespace).changes,
    topicName(namespace, `probe-${process.pid}`),
    (value) => {
      const change = value === null ? null : decode(value);
      const at = change === null ? undefined : committed.get(change.version);
      if (change?.id !== id || at === undefined || seen.signal.aborted) return;
      took = clock.monotonic() - at;
      seen.abort();
    },
    kafkaSecurityOf(environment),
  );
  try {
    const { insertId } = await pool.run(
      `INSERT INTO scheduled_messages (account, channel, payload, due_at) VALUES ('_probe', '${PROBE_CHANNEL}', '{}', ${PROBE_DUE})`,
    );
    id = insertId;
    const limit = clock.monotonic() + CHANGE_LIMIT_MS;
    for (let version = 2; !seen.signal.aborted; version++) {
      if (clock.monotonic() > limit) throw await noChange(connector);
      committed.set(version, clock.monotonic());
      await pool.run(`UPDATE scheduled_messages SET version = ${version} WHERE id = ${id}`);
      await clock.sleep(PROBE_INTERVAL_MS, seen.signal);
    }
    return took;
  } finally {
    await pool.run(`DELETE FROM scheduled_messages WHERE channel = '${PROBE_CHANNEL}'`);
    await Promise.all([pool.close(), watch.close()]);
  }
}

async function noChange(connector: Connector): Promise<UserError> {
  const status = await connector.status();
  const why = status === null ? 'the connector does not exist' : failuresOf(status).join('; ') || 'it says RUNNING';
  return new UserError(
    `No change came through CDC within ${CHANGE_LIMIT_MS / 1_000} s (${connector.name}: ${why}). The log of Kafka Connect says more.`,
  );
}

/** What others write into the topic is not our concern here. */
function decode(value: Buffer) {
  try {
    return changeEventCodec.decode(value);
  } catch (error) {
    if (error instanceof BadRecord) return null;
    throw error;
  }
}
