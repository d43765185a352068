import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { channels, limitsOf, sendWithinOf } from '../../connectors/channels/channel-kinds';
import type { KnownChannels } from '../../connectors/channels/loaded/load-channels';
import { changeEventCodec } from '../../connectors/debezium/change-event';
import { ConnectWorkers } from '../../connectors/debezium/connect-workers';
import { Connector } from '../../connectors/debezium/connector';
import { ConnectorHealth } from '../../connectors/debezium/connector-health';
import { captureNames } from '../../connectors/debezium/settings';
import { KafkaAcks } from '../../connectors/kafka/kafka-acks';
import { KafkaAdmin } from '../../connectors/kafka/kafka-admin';
import { type KafkaOptions, kafkaClient } from '../../connectors/kafka/kafka-client';
import { KafkaStreams } from '../../connectors/kafka/kafka-streams';
import { binlogFaults } from '../../connectors/mysql/schema/binlog-settings';
import { schemaFaults } from '../../connectors/mysql/schema/rights-check';
import { MySqlAccountRefreshes } from '../../connectors/mysql/secrets/account-refreshes';
import { SecretKey } from '../../connectors/mysql/secrets/secret-key';
import { SecretStore } from '../../connectors/mysql/secrets/secret-store';
import type { Pool } from '../../connectors/mysql/sql/pool';
import { openWorkerPools } from '../../connectors/mysql/workers/connections';
import { type DeploymentIdentity, joinDeployment } from '../../connectors/mysql/workers/deployment';
import { MySqlOpenRows } from '../../connectors/mysql/workers/open-rows';
import { MySqlReadyRows } from '../../connectors/mysql/workers/ready-rows';
import { Receipts } from '../../connectors/mysql/workers/receipts';
import { MySqlSendLimits } from '../../connectors/mysql/workers/send-limits';
import { MySqlSendRows } from '../../connectors/mysql/workers/send-rows';
import { MySqlSuspendedRows } from '../../connectors/mysql/workers/suspended-rows';
import { MySqlWorkerRegistry } from '../../connectors/mysql/workers/worker-registry';
import { type Clock, systemClock } from '../../topology/core/clock';
import { reasonOf, Unavailable } from '../../topology/core/errors';
import { deliveryTopology } from '../../topology/delivery-topology';
import { untilAborted, within } from '../../topology/runtime/ending';
import { createLog, type Log } from '../../topology/runtime/log';
import { Metrics } from '../../topology/runtime/metrics';
import { Seldom } from '../../topology/runtime/seldom';
import { listenForEnd } from '../../topology/runtime/signals';
import { StatusServer } from '../../topology/runtime/status-server';
import { Worker } from '../../topology/runtime/worker';
import type { WorkerPlace } from '../../topology/runtime/worker-registry';
import { connectConnectionOf, kafkaSecurityOf } from '../../topology/settings/connections';
import { type Environment, required } from '../../topology/settings/environment';
import { packageVersion } from '../../topology/settings/package';
import type { TopologySettings } from '../../topology/settings/topology-settings';
import { deploymentHealth } from './deployment-health';
import { CLOSE_LIMIT_MS, drainLimitMs } from './drain-limit';
import { parseFailPoints, withFailPoints } from './fail-points';
import { networkOf } from './network-settings';
import { observedOpenRows, observedSendRows } from './observe-rows';
import { rehearse } from './rehearsal';
import { settingsOf } from './release-settings';

export interface WorkerProcessOptions {
  /** Names of components, e.g. `['due', 'webhook']`. */
  readonly components: readonly string[];
  readonly environment: Environment;
  /** Of topology.yaml, or of the release that the worker's place names. */
  readonly settings: TopologySettings | WorkerPlace;
  /** Where health and metrics are served; port 0 for any free one. */
  readonly status: { readonly host: string; readonly port: number };
  /** Log lines for a person instead of JSON. */
  readonly pretty: boolean;
  /** The channels that the topology may name. */
  readonly channels: Pick<KnownChannels, 'kinds' | 'faults'>;
}

/**
 * Runs components in this process until a signal or a failure ends them, and then ends the process: with 0 after draining in
 * time. A second signal ends the process at once.
 * @throws UserError before anything runs, for what is wrong in the settings
 */
export async function runWorker(options: WorkerProcessOptions): Promise<never> {
  const clock = systemClock;
  const log = createLog({ level: options.environment.LOG_LEVEL, pretty: options.pretty });
  const own: OwnProcess = { clock, log, metrics: new Metrics(true), session: randomBytes(16).toString('hex') };
  const place = 'releaseNumber' in options.settings ? options.settings : undefined;
  const ending = new AbortController();
  let worker: Worker | undefined;
  let waitsFor = 'starting';
  const server = await StatusServer.start({
    ...options.status,
    status: () =>
      worker?.status() ?? {
        session: own.session,
        release: place?.releaseNumber ?? null,
        reasons: [waitsFor],
        partitions: {},
      },
    metrics: () => own.metrics.text(),
  });
  try {
    let signals = 0;
    const onSignal = (signal: string) => {
      log.info({ signal }, signals === 0 ? 'stopping' : 'ending at once');
      if (signals++ > 0) process.exit(1);
      ending.abort();
      worker?.stop();
    };
    listenForEnd('on', onSignal);
    const asked = settingsOf(options, { clock, signal: ending.signal }, (reason) => {
      if (waitsFor !== reason) log.warn(reason);
      waitsFor = reason;
    });
    // A database that does not answer keeps nobody from ending.
    const settings = await Promise.race([asked, untilAborted(ending.signal).then(() => null)]);
    // Ended while it waited: nothing runs yet.
    if (settings === null) process.exit(0);
    const parts = await assemble({ ...options, settings, statusUrl: server.url, ...(place && { place }) }, own);
    worker = parts.worker;
    const running = parts.worker;
    process.on('uncaughtException', (error) => running.fail(error));
    process.on('unhandledRejection', (error) => running.fail(error));
    if (ending.signal.aborted) running.stop();
    const code = await running.run();
    const closing = Promise.allSettled([parts.close(), server.close()]);
    if (!(await within(clock, CLOSE_LIMIT_MS, closing)))
      log.warn({ limitMs: CLOSE_LIMIT_MS }, 'connections were left open');
    process.exit(code);
  } catch (error) {
    await server.close();
    throw error;
  }
}

interface OwnProcess {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly session: string;
}

/** What is assembled: the settings are known by now. */
interface Assembly extends WorkerProcessOptions {
  readonly settings: TopologySettings;
  readonly place?: WorkerPlace;
  readonly statusUrl: string;
}

/** Config → connectors → topology → worker. */
async function assemble(options: Assembly, { clock, log, metrics, session }: OwnProcess) {
  const { environment, settings, components, place, statusUrl } = options;
  const namespace = environment.DOWNSPOUT_NAMESPACE;
  const url = required(environment, 'WORKER_DATABASE_URL');
  const brokers = required(environment, 'KAFKA_BROKERS');
  const secretKey = SecretKey.from(environment);
  const failPoints = parseFailPoints(environment.DOWNSPOUT_FAIL_POINTS);

  const seldom = new Seldom(clock);
  const kafka: KafkaOptions = {
    brokers,
    clientId: `${hostname()}/${process.pid}`,
    security: kafkaSecurityOf(environment),
    log: (level, text, details) => seldom.say(text, (leftOut) => log[level]({ kafka: details, leftOut }, text)),
  };
  const admin = new KafkaAdmin(kafkaClient(kafka));
  const streams = new KafkaStreams(kafka, admin, clock, namespace);
  const { session: sessionPool, work: pool } = openWorkerPools(url, clock);
  const accounts = new SecretStore(pool, secretKey);
  const refreshes = new MySqlAccountRefreshes(pool, secretKey);
  const receipts = new Receipts(pool, session, clock);
  const senders = channels(
    settings,
    {
      clock,
      network: networkOf(environment),
      mediaFolder: environment.MEDIA_FOLDER,
      secretsOf: (channel, names) => accounts.accountsOf(channel, names),
      askRefresh: (channel, account, generation) => refreshes.ask(channel, account, generation),
      receiptsOfOthers: (asked) => receipts.ofOthers(asked),
    },
    options.channels,
    components,
  );
  for (const fault of options.channels.faults) log.error(fault);
  const cdcHealth = cdcHealthOf(environment, admin, pool, clock);

  const sendRows = (channel: string) => {
    const own = log.child({ component: channel, task: `${channel}@${session.slice(0, 8)}` });
    return observedSendRows(channel, new MySqlSendRows(pool), { metrics, log: own, clock });
  };
  const openRows = observedOpenRows(new MySqlOpenRows(pool), { metrics, log, clock });
  const readyRows = new MySqlReadyRows(pool);
  const ports = withFailPoints({ streams, openRows, sendRows, readyRows, channels: senders }, failPoints);
  const joined: { deployment?: DeploymentIdentity } = {};
  const topology = deliveryTopology({
    settings,
    channels: ports.channels,
    changes: changeEventCodec,
    openRows: ports.openRows,
    sendRows: ports.sendRows,
    readyRows: ports.readyRows,
    sendLimits: (channel) => new MySqlSendLimits(pool, channel),
    refreshes,
    acks: new KafkaAcks(admin, namespace),
    ...(cdcHealth === undefined ? {} : { cdcHealth }),
    deploymentHealth: deploymentHealth(admin, pool, namespace, settings, connectWorkersOf(environment, admin, clock)),
    suspendedRows: new MySqlSuspendedRows(pool),
    sendWithinOf: (channel) => sendWithinOf(channel, options.channels.kinds),
    limitsOf: (channel) => limitsOf(channel, options.channels.kinds),
    deploymentId: () => {
      if (joined.deployment === undefined) throw new Error('a message is to be sent before the deployment is known');
      return joined.deployment.id;
    },
    random: Math.random,
  });

  const close = async () => {
    // One that cannot be closed keeps no other open.
    await Promise.allSettled([...senders.values()].map((channel) => channel.close()));
    await Promise.allSettled([streams.close(), admin.close(), pool.close(), sessionPool.close()]);
  };
  try {
    const worker = new Worker({
      topology,
      identity: {
        session,
        components,
        host: hostname(),
        pid: process.pid,
        version: packageVersion(),
        statusUrl,
        ...(place && { place }),
      },
      streams: ports.streams,
      registry: new MySqlWorkerRegistry(sessionPool, clock, () => joined.deployment),
      clock,
      log,
      metrics,
      mayRun: async () => {
        joined.deployment = await joinDeployment(pool, await admin.clusterId(), namespace);
        // A newer worker on an older schema would postpone what older ones still send, so it waits, and says for what.
        const [lacks] = await schemaFaults(url);
        if (lacks !== undefined) throw new Unavailable(lacks);
        const bolt = components.map((component) => settings.bolts[component]).find((one) => one !== undefined);
        if (bolt === undefined) return;
        await rehearse({ settings: bolt, rows: new MySqlSendRows(pool), clock, random: Math.random }).then(
          (messages) => log.debug({ messages }, 'rehearsed'),
          (error: unknown) => log.warn(`the rehearsal failed: ${reasonOf(error)}`),
        );
      },
      drainLimitMs: drainLimitMs(components, settings),
    });
    return { worker, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Undefined where somebody else keeps the connector. */
function connectWorkersOf(environment: Environment, admin: KafkaAdmin, clock: Clock): ConnectWorkers | undefined {
  const connection = connectConnectionOf(environment);
  if (connection === undefined) return undefined;
  const { connector } = captureNames(environment.DOWNSPOUT_NAMESPACE);
  return new ConnectWorkers(admin, new Connector(connection, connector, clock));
}

function cdcHealthOf(
  environment: Environment,
  admin: KafkaAdmin,
  pool: Pool,
  clock: Clock,
): ConnectorHealth | undefined {
  const connection = connectConnectionOf(environment);
  if (connection === undefined) return undefined;
  const names = captureNames(environment.DOWNSPOUT_NAMESPACE);
  const countHeartbeats = async () => {
    const logs = await admin.logs(names.heartbeats);
    return logs.reduce((sum, { high }) => sum + high, 0);
  };
  return new ConnectorHealth({
    connector: new Connector(connection, names.connector, clock),
    countHeartbeats,
    binlogFaults: () => pool.use(binlogFaults),
    clock,
  });
}
