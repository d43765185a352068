import { kafkaClient } from '../../../connectors/kafka/kafka-client';
import { createClient } from '../../../connectors/mysql/client/client';
import { required } from '../../../topology/settings/environment';
import { shareOfToday } from '../../support/trials';
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

/** The broker every second day. */
const kills = [
  { part: 'the primary', others: 'another server is used within seconds', kill: trials.primaryKilled },
  { part: 'a broker', others: 'the others take over its partitions', kill: trials.brokerKilled },
];

test.each(shareOfToday(kills, 2, ({ kill }) => kill === trials.primaryKilled))(
  '$part is killed in a burst: $others, nothing is lost, and it comes back by itself',
  async ({ part, kill }) => {
    const { felt, equal } = await kill({ trial, load: loads.short });
    const { sendsAgainMs, firstWriteMs, firstChangeMs } = felt;
    console.info(
      `${part} killed: sends again after ${sendsAgainMs} ms, first write ${firstWriteMs} ms, first change ${firstChangeMs} ms`,
    );
    expect(felt.broken).toEqual([]);
    expect(equal['scheduled_messages']).toBeGreaterThan(loads.short.burst);
  },
  300_000,
);

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
