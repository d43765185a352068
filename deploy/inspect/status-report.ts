import { Connector, failuresOf, haltOf } from '../../connectors/debezium/connector';
import { captureNames } from '../../connectors/debezium/settings';
import type { KafkaCopies } from '../../connectors/kafka/kafka-admin';
import { type MemberStatus, readMembers } from '../../connectors/mysql/operators/members';
import { Operations, type Pause } from '../../connectors/mysql/operators/operations';
import {
  listPlacements,
  listSupervisors,
  type PlacementRow,
  type SupervisorStatus,
} from '../../connectors/mysql/operators/placements';
import type { Figure } from '../../connectors/mysql/operators/quick-count';
import {
  type ChannelWaiting,
  type MinuteCount,
  type StateCount,
  Status,
} from '../../connectors/mysql/operators/status';
import { listWorkers, type WorkerStatus } from '../../connectors/mysql/operators/worker-status';
import { binlogFaults } from '../../connectors/mysql/schema/binlog-settings';
import { Pool } from '../../connectors/mysql/sql/pool';
import type { Clock } from '../../topology/core/clock';
import { reasonOf } from '../../topology/core/errors';
import { readerUrl, requiredConnect } from '../../topology/settings/connections';
import type { Environment } from '../../topology/settings/environment';
import { topologyOf } from '../../topology/settings/topology-settings';
import { SPOUT } from '../../topology/streams';
import { counted, formatInstant } from '../console/units';
import { cdcWarnings } from './cdc-warnings';
import { type DeploymentReport, deploymentWarnings, readDeploymentReport } from './deployment-report';
import { copiesOf, lagOf, queuedOf, withKafka } from './kafka';
import { membersText, replicaWarnings } from './replica-warnings';
import { placementWarnings } from './where-it-runs';

/** Whether a part of the stack does its work. */
export interface PartStatus {
  readonly part: string;
  readonly ok: boolean;
  /** Delivery stands still or suffers without it. */
  readonly needed: boolean;
  readonly detail: string;
}

/** What the database says; times are epoch milliseconds by its clock. */
export interface DatabaseReport {
  readonly now: number;
  /** Exact, or marked as estimates. */
  readonly counts: readonly StateCount[];
  readonly waiting: readonly ChannelWaiting[];
  /** Channels on which something waits and that are not in `waiting`, because there are very many. */
  readonly otherChannels: Figure;
  /** What wakes in each minute of the next hour; null when that is too much to count in a moment. */
  readonly nextHour: readonly MinuteCount[] | null;
  readonly workers: readonly WorkerStatus[];
  readonly pauses: readonly Pause[];
  /** Workers that are to run on the target local, and the hosts that run them. */
  readonly placements: readonly PlacementRow[];
  readonly supervisors: readonly SupervisorStatus[];
  readonly deployment: DeploymentReport;
  /** Settings of the binlog that CDC cannot work with, one line each. */
  readonly binlog: readonly string[];
  /** The servers of the database's group; none when it runs in none. */
  readonly members: readonly MemberStatus[];
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

const HTTP_LIMIT_MS = 3_000;
/** A count that is given up after its time holds one; the others are not to stand behind it. */
const STATUS_CONNECTIONS = 5;

/** Asks every part, at the same time. Does not throw for a part that is away. */
export async function readStatus(environment: Environment, clock: Clock): Promise<StatusReport> {
  const [mysql, kafka, connect, ...others] = await Promise.all([
    attempt('MySQL', () => readDatabase(environment, clock)),
    attempt('Kafka', () => readKafka(environment)),
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
      connector,
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
            ...warningsOf(database, sendersOf(environment)),
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

async function readDatabase(environment: Environment, clock: Clock): Promise<DatabaseReport> {
  const pool = Pool.open(readerUrl(environment), { clock, size: STATUS_CONNECTIONS });
  try {
    const status = new Status(pool, sendersOf(environment));
    // First alone: when the database is away, it is said once.
    const now = await status.now();
    const settings = topologyOf(environment);
    const reading = status.waiting();
    const [
      counts,
      waiting,
      otherChannels,
      nextHour,
      workers,
      pauses,
      placements,
      supervisors,
      deployment,
      binlog,
      members,
    ] = await Promise.all([
      status.counts(reading),
      reading,
      status.otherChannels(),
      status.byMinute(60),
      listWorkers(pool),
      new Operations(pool).pauses(),
      listPlacements(pool),
      listSupervisors(pool),
      readDeploymentReport(pool, settings),
      binlogFaults(pool),
      readMembers(pool),
    ]);
    return {
      now,
      counts,
      waiting,
      otherChannels,
      nextHour,
      workers,
      pauses,
      placements,
      supervisors,
      deployment,
      binlog,
      members,
    };
  } finally {
    await pool.close();
  }
}

interface KafkaReport {
  readonly cluster: string;
  readonly queued: Readonly<Record<string, number>>;
  readonly copies: KafkaCopies;
}

function readKafka(environment: Environment): Promise<KafkaReport> {
  return withKafka(environment, async (admin) => {
    const cluster = await admin.clusterId();
    const queued = queuedOf(await lagOf(environment, admin));
    return { cluster, queued, copies: await copiesOf(environment, admin) };
  });
}

interface ConnectorReport {
  readonly status: PartStatus;
  /** Why it does not run, one line each. */
  readonly faults: readonly string[];
}

async function readConnector(environment: Environment, clock: Clock): Promise<ConnectorReport> {
  const name = captureNames(environment.DOWNSPOUT_NAMESPACE).connector;
  const status = await new Connector(requiredConnect(environment), name, clock).status();
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
  return urls.flatMap(([part, url]) => (url === undefined ? [] : [readHttp(part, url)]));
}

async function readHttp(part: string, url: string): Promise<PartStatus> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(HTTP_LIMIT_MS), redirect: 'manual' });
    await response.body?.cancel();
    return { part, needed: false, ok: response.status < 500, detail: `${url} answers ${response.status}` };
  } catch (error) {
    const cause = error instanceof Error ? (error.cause ?? error) : error;
    return { part, needed: false, ok: false, detail: `${url}: ${reasonOf(cause)}` };
  }
}

/** The channels that topology.yaml has a bolt for. */
export function sendersOf(environment: Environment): readonly string[] {
  return Object.keys(topologyOf(environment).bolts);
}

/** @param senders the channels that the topology has a bolt for */
export function warningsOf(report: DatabaseReport, senders: readonly string[]): string[] {
  const alive = report.workers.filter((worker) => worker.state === 'alive');
  const running = new Set(alive.flatMap((worker) => worker.components));
  const of = (state: string) => report.counts.filter((one) => one.state === state && one.count > 0);
  const waiting = report.waiting.filter(({ open }) => open > 0);
  const somethingWaits = waiting.some(({ channel }) => senders.includes(channel));
  return [
    ...report.pauses
      .filter(({ channel }) => channel === null)
      .map(
        (pause) =>
          `DEACTIVATED since ${formatInstant(pause.pausedAt)}${byText(pause)}${untilText(pause)}: no message is sent on any channel. \`downspout activate\` ends that.`,
      ),
    ...waiting
      .filter(({ channel }) => !senders.includes(channel))
      .map(
        ({ channel, open }) =>
          `${counted(open, 'message waits', 'messages wait')} on channel ${channel}, which has no sender in topology.yaml.`,
      ),
    ...(somethingWaits && !running.has(SPOUT) ? [`Messages wait and no worker runs the spout \`${SPOUT}\`.`] : []),
    ...waiting
      .filter(({ channel }) => senders.includes(channel) && !running.has(channel))
      .map(
        ({ channel, open }) =>
          `${counted(open, 'message waits', 'messages wait')} on channel ${channel} and no worker runs its bolt.`,
      ),
    ...of('uncertain').map(
      ({ channel, count }) =>
        `${counted(count, 'message')} of ${channel} ${count === 1 ? 'is' : 'are'} uncertain: a person decides (downspout messages resolve).`,
    ),
    ...of('failed').map(
      ({ channel, count }) =>
        `${counted(count, 'message')} of ${channel} ${count === 1 ? 'has' : 'have'} failed (downspout messages list --state failed, messages redrive).`,
    ),
    ...of('suspended').map(
      ({ channel, count }) =>
        `${counted(count, 'message')} of ${channel} ${count === 1 ? 'is' : 'are'} suspended, because their accounts cannot be used (downspout accounts list; messages resume sends what was kept).`,
    ),
    ...report.pauses
      .filter((pause) => pause.channel !== null)
      .map(
        (pause) =>
          `Paused: ${pause.channel}${pause.account === null ? '' : `, account ${pause.account}`}${byText(pause)}${untilText(pause)}.`,
      ),
    ...report.workers
      .filter((worker) => worker.state === 'late')
      .map(
        (worker) =>
          `The lease of worker ${worker.host}/${worker.pid} has run out; what it was sending is recovered soon.`,
      ),
  ];
}

function byText({ command }: Pause): string {
  return command === null ? '' : `, by \`downspout ${command}\``;
}

function untilText({ untilAt }: Pause): string {
  return untilAt === null ? '' : `, until ${formatInstant(untilAt)}`;
}
