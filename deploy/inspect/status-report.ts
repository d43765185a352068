import { ConnectWorkers } from '../../connectors/debezium/connect-workers';
import { Connector } from '../../connectors/debezium/connector';
import { failuresOf, haltOf } from '../../connectors/debezium/connector-status';
import { captureNames } from '../../connectors/debezium/settings';
import type { KafkaAdmin, KafkaCopies } from '../../connectors/kafka/kafka-admin';
import type { Clock } from '../../topology/core/clock';
import { reasonOf } from '../../topology/core/errors';
import { connectConnectionOf } from '../../topology/settings/connections';
import type { Environment } from '../../topology/settings/environment';
import type { TopologySettings } from '../../topology/settings/topology-settings';
import { cdcWarnings } from './cdc-warnings';
import { type DatabaseReport, readDatabase, sendersOf } from './database-report';
import { deliveryWarnings } from './delivery-warnings';
import { deploymentWarnings } from './deployment-report';
import { askPage } from './http-part';
import { copiesOf, lagOf, queuedOf, withKafka } from './kafka';
import { membersText, replicaWarnings } from './replica-warnings';
import { readRunningTopology } from './running-topology';
import { sayingSchema } from './saying-schema';
import { placementWarnings } from './where-it-runs';

/** Whether a part of the stack does its work. */
export interface PartStatus {
  readonly part: string;
  readonly ok: boolean;
  /** Delivery stands still or suffers without it. */
  readonly needed: boolean;
  readonly detail: string;
}

export interface StatusReport {
  readonly parts: readonly PartStatus[];
  /** Null when the database does not answer. */
  readonly database: DatabaseReport | null;
  /** Records in Kafka that no bolt has consumed, by component; null when Kafka does not answer. */
  readonly queued: Readonly<Record<string, number>> | null;
  /** What somebody should do something about. */
  readonly warnings: readonly string[];
}

/** Asks every part, at the same time. Does not throw for a part that is away. */
export async function readStatus(environment: Environment, clock: Clock): Promise<StatusReport> {
  const running = readRunningTopology(environment, clock);
  const [mysql, kafka, connect, ...others] = await Promise.all([
    attempt('MySQL', () => sayingSchema(environment, readDatabase(environment, clock, running))),
    attempt('Kafka', async () => readKafka(environment, (await running).settings, clock)),
    attempt('Kafka Connect', () => readConnector(environment, clock)),
    ...optionalParts(environment),
  ]);
  const database = mysql.value ?? null;
  const connector: PartStatus = connect.value?.status ?? connect.status;
  const named = { kafkaCluster: kafka.value?.cluster ?? null, namespace: environment.DOWNSPOUT_NAMESPACE };
  const members = database === null ? null : membersText(database.members);
  const copies = kafka.value?.copies ?? null;
  return {
    parts: [
      members === null ? mysql.status : { ...mysql.status, detail: members },
      copies === null || copies.brokers < 2
        ? kafka.status
        : { ...kafka.status, detail: `${copies.brokers} brokers answer` },
      (kafka.value?.connectWorkers ?? 0) < 2
        ? connector
        : { ...connector, detail: `${connector.detail}; ${kafka.value?.connectWorkers} workers` },
      ...others,
    ],
    database,
    queued: kafka.value?.queued ?? null,
    warnings:
      database === null
        ? ['Nothing can be said of messages and workers. `downspout up` starts the local stack.']
        : [
            ...deploymentWarnings(database.deployment, named),
            ...replicaWarnings(database.members, copies),
            ...cdcWarnings({ ...database, connector: connect.value?.faults ?? null }),
            ...placementWarnings(database),
            ...deliveryWarnings(database, sendersOf(await running)),
          ],
  };
}

async function attempt<T>(part: string, read: () => Promise<T>): Promise<{ status: PartStatus; value?: T }> {
  try {
    return { value: await read(), status: { part, ok: true, needed: true, detail: 'answers' } };
  } catch (error) {
    return { status: { part, ok: false, needed: true, detail: reasonOf(error) } };
  }
}

interface KafkaReport {
  readonly cluster: string;
  readonly queued: Readonly<Record<string, number>>;
  readonly copies: KafkaCopies;
  /** Workers of the Connect cluster that runs the connector; undefined where that cannot be seen. */
  readonly connectWorkers: number | undefined;
}

function readKafka(environment: Environment, settings: TopologySettings, clock: Clock): Promise<KafkaReport> {
  return withKafka(environment, async (admin) => {
    const cluster = await admin.clusterId();
    const queued = queuedOf(await lagOf(environment, settings, admin));
    const copies = await copiesOf(environment, settings, admin);
    return { cluster, queued, copies, connectWorkers: await connectWorkersOf(environment, admin, clock) };
  });
}

async function connectWorkersOf(
  environment: Environment,
  admin: KafkaAdmin,
  clock: Clock,
): Promise<number | undefined> {
  const connection = connectConnectionOf(environment);
  if (connection === undefined) return undefined;
  const { connector } = captureNames(environment.DOWNSPOUT_NAMESPACE);
  return new ConnectWorkers(admin, new Connector(connection, connector, clock)).count();
}

interface ConnectorReport {
  readonly status: PartStatus;
  /** Why it does not run, one line each. */
  readonly faults: readonly string[];
}

async function readConnector(environment: Environment, clock: Clock): Promise<ConnectorReport> {
  const connection = connectConnectionOf(environment);
  if (connection === undefined) {
    const detail = 'not asked: CONNECT_URL is not set, so somebody else keeps the connector';
    return { faults: [], status: { part: 'Kafka Connect', needed: false, ok: true, detail } };
  }
  const name = captureNames(environment.DOWNSPOUT_NAMESPACE).connector;
  const status = await new Connector(connection, name, clock).status();
  const faults = [...(status === null ? [] : failuresOf(status)), ...haltOf(status)];
  const tasks = status?.tasks.map((task) => task.state).join(', ') || 'none';
  const detail = faults.length > 0 ? faults.join('; ') : `connector ${name} ${status?.state}, task ${tasks}`;
  const ok = faults.length === 0 && status?.state === 'RUNNING';
  return { faults, status: { part: 'Kafka Connect', needed: true, ok, detail } };
}

function optionalParts(environment: Environment): Promise<PartStatus>[] {
  const urls: readonly (readonly [string, string | undefined])[] = [
    ['Prometheus', environment.PROMETHEUS_URL],
    ['Grafana', environment.GRAFANA_URL],
    ['Kafka UI', environment.KAFKA_UI_URL],
  ];
  return urls.flatMap(([part, url]) => (url === undefined ? [] : [readPage(part, url)]));
}

async function readPage(part: string, url: string): Promise<PartStatus> {
  return { part, needed: false, ...(await askPage(url)) };
}
