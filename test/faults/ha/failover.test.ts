import { kafkaClient } from '../../../connectors/kafka/kafka-client';
import { createClient } from '../../../connectors/mysql/client/client';
import { required } from '../../../topology/settings/environment';
import { until } from '../../support/until';
import { HaTrial, loads } from './ha-trial';
import { whenThere } from './ha-world';
import { trials } from './trials';

let trial: HaTrial;

beforeAll(async () => {
  trial = await HaTrial.start();
}, 300_000);

afterAll(() => trial.stop(), 60_000);

test('every topic has three copies, also those of Connect and of Kafka itself', async () => {
  const brokers = required(trial.world.environment, 'KAFKA_BROKERS');
  const admin = kafkaClient({ brokers, clientId: 'copies', log: () => undefined }).admin();
  await admin.connect();
  try {
    const { topics } = await admin.fetchTopicMetadata();
    const names = topics.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(['ha.due.webhook', 'connect-offsets', '__consumer_offsets']));
    const copies = topics.flatMap(({ partitions }) => partitions.map(({ replicas }) => replicas.length));
    expect(new Set(copies)).toEqual(new Set([3]));
  } finally {
    await admin.disconnect();
  }
}, 60_000);

test('the primary is killed in a burst: another server is used within seconds, nothing is lost, and it comes back by itself', async () => {
  const { felt, equal } = await trials.primaryKilled({ trial, load: loads.short });
  console.info(`primary killed: sends again after ${felt.sendsAgainMs} ms, first write ${felt.firstWriteMs} ms`);
  expect(felt.broken).toEqual([]);
  expect(equal['scheduled_messages']).toBeGreaterThan(loads.short.burst);
}, 300_000);

test('after a planned switch no new connection reaches a secondary, and an old one is refused and given up', async () => {
  const { world } = trial;
  const { primary } = await world.whole();
  const old = await world.connect(primary);
  const client = createClient(required(world.environment, 'DATABASE_URL'), { connections: 1 });
  await client.get({ id: 1 });
  const next = await world.switchPrimary();
  await expect(old.query("UPDATE downspout.scheduled_messages SET local_time = '' WHERE id = 1")).rejects.toMatchObject(
    {
      errno: 1290,
    },
  );
  old.destroy();
  // The client finds its connection broken, or its server read-only, and leaves it.
  await until('the client is at the primary', () =>
    whenThere(async () => {
      await client.cancel({ id: 1 });
      return true;
    }),
  );
  await client.close();
  const uuid = await world.ask(next, 'SELECT @@server_uuid');
  const reached = async () => (await world.askAnew('SELECT @@server_uuid')).join() === uuid.join();
  // While both look right to HAProxy, it leads to them in turn.
  let inTurn = 0;
  await until('HAProxy has asked both', async () => {
    inTurn = (await reached()) ? inTurn + 1 : 0;
    return inTurn === 10;
  });
  for (let n = 0; n < 50; n++) expect(await reached()).toBe(true);
}, 120_000);

test('a broker is killed in a burst: the others take over its partitions, nothing is lost, and it comes back by itself', async () => {
  const { felt } = await trials.brokerKilled({ trial, load: loads.short });
  console.info(`broker killed: sends again after ${felt.sendsAgainMs} ms, first change ${felt.firstChangeMs} ms`);
  expect(felt.broken).toEqual([]);
}, 300_000);
