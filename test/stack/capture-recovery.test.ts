import { ConnectWorkers } from '../../connectors/debezium/connect-workers';
import { Connector } from '../../connectors/debezium/connector';
import { ConnectorHealth } from '../../connectors/debezium/connector-health';
import type { ConnectorStatus } from '../../connectors/debezium/connector-status';
import { captureNames } from '../../connectors/debezium/settings';
import { KafkaAdmin } from '../../connectors/kafka/kafka-admin';
import { kafkaClient } from '../../connectors/kafka/kafka-client';
import { watchTopic } from '../../connectors/kafka/topic-set-up';
import { Pool } from '../../connectors/mysql/sql/pool';
import { readStatus } from '../../deploy/inspect/status-report';
import { provision } from '../../deploy/provision';
import { systemClock } from '../../topology/core/clock';
import { required } from '../../topology/settings/environment';
import { removeTopics } from '../support/stack/removal';
import { freshWorld, type World } from '../support/stack/stack';
import { until } from '../support/until';

/** Milliseconds since 1970 of a day in the year 2100. */
const FAR = 4_102_444_000_000;

let world: World;
let connector: Connector;
let sql: Pool;
let brokers: readonly string[];
let names: ReturnType<typeof captureNames>;

beforeAll(async () => {
  world = await freshWorld();
  const { environment } = world;
  names = captureNames(environment.DOWNSPOUT_NAMESPACE);
  brokers = required(environment, 'KAFKA_BROKERS');
  connector = new Connector({ url: required(environment, 'CONNECT_URL') }, names.connector, systemClock);
  sql = Pool.open(required(environment, 'ADMIN_DATABASE_URL'), { clock: systemClock, size: 2 });
}, 120_000);

afterAll(async () => {
  await sql.close();
  await world.close();
}, 60_000);

const up = () => provision(world.environment, world.settings, systemClock, () => undefined);

/** What somebody does with curl or in Kafka UI. */
async function order(method: string, path: string): Promise<void> {
  const url = `${required(world.environment, 'CONNECT_URL')}/connectors/${names.connector}${path}`;
  await fetch(url, { method });
}

async function stateIs(what: string, holds: (status: ConnectorStatus) => boolean): Promise<void> {
  await until(what, async () => {
    const status = await connector.status();
    return status !== null && holds(status);
  });
}

const isRunning = ({ state, tasks }: ConnectorStatus) => state === 'RUNNING' && tasks[0]?.state === 'RUNNING';

/** A change is made again and again until it comes through CDC. @returns how many did */
async function changesThatCome(meanwhile: () => Promise<void> = async () => undefined): Promise<number> {
  const { insertId } = await sql.run(
    `INSERT INTO scheduled_messages (account, channel, payload, due_at) VALUES ('a', 'nowhere', '{}', ${FAR})`,
  );
  let seen = 0;
  const watch = await watchTopic(brokers, names.changes, `${names.changes}-recovery-${insertId}`, (value) => {
    if (String(value).includes(`"id":${insertId},`)) seen++;
  });
  try {
    await until('a change comes through', async () => {
      await sql.run(`UPDATE scheduled_messages SET version = version + 1 WHERE id = ${insertId}`);
      await meanwhile();
      return seen > 0;
    });
    return seen;
  } finally {
    await watch.close();
  }
}

test('the workers of Connect are counted by what they say to Kafka, once one of them runs the connector', async () => {
  await up();
  await stateIs('running', isRunning);
  const admin = new KafkaAdmin(kafkaClient({ brokers, clientId: 'connect-workers', log: () => undefined }));
  try {
    expect(await new ConnectWorkers(admin, connector).count()).toBe(1);
    const another = new Connector({ url: required(world.environment, 'CONNECT_URL') }, 'another', systemClock);
    expect(await new ConnectWorkers(admin, another).count()).toBeUndefined();
  } finally {
    await admin.close();
  }
}, 60_000);

describe('capture', () => {
  it.each([
    ['paused', '/pause', 'PAUSED'],
    ['stopped', '/stop', 'STOPPED'],
  ])(
    'is resumed by `up` after somebody has %s it',
    async (_what, path, state) => {
      await order('PUT', path);
      await stateIs(state, (status) => status.state === state);
      const { warnings } = await readStatus(world.environment, systemClock);
      expect(warnings).toContainEqual(expect.stringMatching(`the connector is ${state}: .downspout provision`));
      await up();
      expect(await connector.status()).toMatchObject({ state: 'RUNNING', tasks: [{ state: 'RUNNING' }] });
    },
    60_000,
  );

  it('is brought back by `up` after its topic with the history of the schema was deleted', async () => {
    await removeTopics(brokers, names.history);
    await order('POST', '/restart?includeTasks=true');
    await stateIs('it has failed', ({ tasks }) => tasks[0]?.state === 'FAILED');
    await up();
    expect(await changesThatCome()).toBeGreaterThan(0);
  }, 120_000);

  it('begins again at the present, with nobody doing anything, when the binlog is gone that it was at', async () => {
    await order('PUT', '/stop');
    await stateIs('it has stopped', ({ state }) => state === 'STOPPED');
    await sql.run(
      `INSERT INTO scheduled_messages (account, channel, payload, due_at) VALUES ('gone', 'nowhere', '{}', ${FAR})`,
    );
    await sql.run('FLUSH BINARY LOGS');
    const logs = await sql.rows<[string]>('SHOW BINARY LOGS');
    await sql.run(`PURGE BINARY LOGS TO '${logs.at(-1)?.[0]}'`);
    await order('PUT', '/resume');
    expect(await changesThatCome()).toBeGreaterThan(0);
    await stateIs('it runs', isRunning);
  }, 120_000);

  it('begins again at the present, by the watch of the spouts, after an update that was logged in part', async () => {
    await stateIs('it runs', isRunning);
    const { insertId } = await sql.run(
      `INSERT INTO scheduled_messages (account, channel, payload, due_at) VALUES ('part', 'nowhere', '{}', ${FAR})`,
    );
    await sql.use(async (session) => {
      await session.run("SET SESSION binlog_row_image='MINIMAL'");
      await session.run(`UPDATE scheduled_messages SET version = version + 1 WHERE id = ${insertId}`);
      await session.run("SET SESSION binlog_row_image='FULL'");
    });
    await stateIs('it has failed', ({ tasks }) => tasks[0]?.state === 'FAILED');
    const health = new ConnectorHealth({
      connector,
      countHeartbeats: async () => 0,
      binlogFaults: async () => [],
      clock: systemClock,
    });
    let checkedAt = Number.NEGATIVE_INFINITY;
    // As the spouts do it: a connector that was told to restart gets the time for it.
    const watch = async () => {
      if (systemClock.monotonic() - checkedAt < 5_000) return;
      checkedAt = systemClock.monotonic();
      const { failures } = await health.check();
      if (failures.length > 0) await health.restart();
    };
    expect(await changesThatCome(watch)).toBeGreaterThan(0);
    await stateIs('it runs', isRunning);
  }, 120_000);
});
