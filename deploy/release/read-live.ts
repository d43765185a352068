import { Connector } from '../../connectors/debezium/connector';
import { captureNames } from '../../connectors/debezium/settings';
import { workersBeforePauses } from '../../connectors/mysql/operators/emitting-spouts';
import { listPlacements } from '../../connectors/mysql/operators/placements';
import {
  currentRelease,
  findRelease,
  listReleases,
  unfinishedReleases,
} from '../../connectors/mysql/operators/releases';
import { Status } from '../../connectors/mysql/operators/status';
import { readSchemaState, type SchemaState } from '../../connectors/mysql/schema/schema-state';
import { Pool } from '../../connectors/mysql/sql/pool';
import type { Clock } from '../../topology/core/clock';
import { reasonOf } from '../../topology/core/errors';
import { type ConnectConnection, connectConnectionOf, readerUrl } from '../../topology/settings/connections';
import type { Environment } from '../../topology/settings/environment';
import { settingsOrNull, type TopologySettings } from '../../topology/settings/topology-settings';
import { topicName } from '../../topology/streams';
import { withKafka } from '../inspect/kafka';
import { sayingSchema } from '../inspect/saying-schema';
import { captureSettings } from '../provisioning/capture';
import { STARTED_LIMIT_MS } from './growths';
import { streamsOf } from './plan-topics';
import type { Live, LiveTopic } from './plan-types';
import { readRuns } from './worker-steps';

/**
 * Reads what is there now, from every part at once. A part that does not answer is said in `unknown`; nothing is thrown and
 * nothing is changed.
 */
export async function readLive(environment: Environment, wanted: TopologySettings, clock: Clock): Promise<Live> {
  const connection = connectConnectionOf(environment);
  const [database, topics, connector] = await Promise.all([
    readDatabase(environment, clock),
    attempt('Kafka', () => readTopics(environment, wanted)),
    connection === undefined
      ? null
      : attempt('Kafka Connect', () => readConnector(connection, environment, wanted, clock)),
  ]);
  const { schema, release } = database;
  return {
    release: release.value === undefined ? undefined : release.value.release,
    schema: schema?.value,
    mayMigrate: environment.ADMIN_DATABASE_URL !== undefined,
    topics: topics.value,
    connector: connector?.value,
    unfinished: release.value?.unfinished,
    wasDeployed: release.value?.wasDeployed,
    last: release.value?.last,
    placed: release.value?.placed,
    reorders: release.value?.reorders,
    waiting: release.value?.waiting ?? new Map(),
    unknown: [schema, release, topics, connector].flatMap((one) => one?.unknown ?? []),
    notes: [
      ...(schema === null
        ? ['ADMIN_DATABASE_URL is not set, and nobody else could see whether migrations are pending.']
        : []),
      ...(connection === undefined ? ['CONNECT_URL is not set, so the connector was not looked at.'] : []),
    ],
  };
}

interface Attempt<T> {
  readonly value?: T;
  readonly unknown?: string;
}

async function attempt<T>(part: string, read: () => Promise<T>): Promise<Attempt<T>> {
  try {
    return { value: await read() };
  } catch (error) {
    return { unknown: `${part}: ${reasonOf(error)}` };
  }
}

interface ReleaseReading extends Pick<Live, 'waiting' | 'unfinished' | 'wasDeployed' | 'last' | 'placed' | 'reorders'> {
  readonly release: NonNullable<Live['release']> | null;
}

const nothingThere: ReleaseReading = { release: null, wasDeployed: false, waiting: new Map() };

async function readDatabase(
  environment: Environment,
  clock: Clock,
): Promise<{ schema: Attempt<SchemaState> | null; release: Attempt<ReleaseReading> }> {
  const schema = await readSchema(environment);
  // Its users come with the schema, so there is nobody to ask, and nothing was deployed.
  if (schema?.value?.isEmpty === true) return { schema, release: { value: nothingThere } };
  const release = await attempt<ReleaseReading>('the release that runs', () =>
    sayingSchema(environment, readRelease(environment, clock)),
  );
  return { schema, release };
}

/** Null when nobody could see how it stands. */
async function readSchema(environment: Environment): Promise<Attempt<SchemaState> | null> {
  const admin = environment.ADMIN_DATABASE_URL;
  if (admin !== undefined) return attempt('MySQL', () => readSchemaState(admin));
  const { value } = await attempt('MySQL', () => readSchemaState(readerUrl(environment)));
  // To somebody without rights there are no tables.
  return value === undefined || value.isEmpty ? null : { value };
}

async function readRelease(environment: Environment, clock: Clock): Promise<ReleaseReading> {
  const pool = Pool.open(readerUrl(environment), { clock, size: 2 });
  try {
    const current = await currentRelease(pool);
    const release = current === null ? null : { ...current, settings: settingsOrNull(current.specification) };
    const waiting = await new Status(pool, Object.keys(release?.settings?.bolts ?? {})).waiting();
    const placements = await listPlacements(pool);
    const [reorders] = await workersBeforePauses(pool, STARTED_LIMIT_MS);
    const [last] = await listReleases(pool, 1);
    return {
      release,
      unfinished: await unfinishedReleases(pool),
      wasDeployed: last !== undefined,
      last,
      placed: { placements, runs: await readRuns({ find: (number) => findRelease(pool, number) }, placements) },
      reorders,
      waiting: new Map(waiting.map(({ channel, open }) => [channel, open])),
    };
  } finally {
    await pool.close();
  }
}

function readTopics(environment: Environment, wanted: TopologySettings): Promise<ReadonlyMap<string, LiveTopic>> {
  const names = streamsOf(wanted).map(({ name }) => [name, topicName(environment.DOWNSPOUT_NAMESPACE, name)] as const);
  return withKafka(environment, async (admin) => {
    const there = await admin.topics(names.map(([, topic]) => topic));
    return new Map(
      names.flatMap(([name, topic]) => {
        const found = there.get(topic);
        return found === undefined ? [] : [[name, found] as const];
      }),
    );
  });
}

function readConnector(
  connection: ConnectConnection,
  environment: Environment,
  wanted: TopologySettings,
  clock: Clock,
): Promise<string[] | null> {
  const { connector } = captureNames(environment.DOWNSPOUT_NAMESPACE);
  return new Connector(connection, connector, clock).differingSettings(captureSettings(environment, wanted));
}
