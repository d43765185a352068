import { EventEmitter } from 'node:events';
import type { Admin, Consumer } from 'kafkajs';
import { kafkaClient } from '../../../connectors/kafka/kafka-client';
import { ConfigResourceTypes, ConfigSource } from '../../../connectors/kafka/kafkajs';
import type { Durability } from '../../../connectors/kafka/topic-durability';
import { firstFetch, setUpTopics } from '../../../connectors/kafka/topic-set-up';
import { systemClock } from '../../../topology/core/clock';
import { Unavailable } from '../../../topology/core/errors';
import { required } from '../../../topology/settings/environment';
import { topicName } from '../../../topology/streams';
import { ManualClock } from '../../support/manual-clock';
import { freshNamespace, type World } from '../../support/stack/stack';

it('takes records of writers whose clock is hours wrong', async () => {
  const world = await freshNamespace();
  const brokers = required(world.environment, 'KAFKA_BROKERS');
  const topic = topicName(world.environment.DOWNSPOUT_NAMESPACE, 'wrong');
  await setUpTopics(brokers, [{ name: topic, partitions: 1 }]);
  const producer = kafkaClient({ brokers, clientId: 'wrong', log: () => undefined }).producer();
  await producer.connect();
  const wrong = [-30, 30].map((hours) => systemClock.now() + hours * 3_600_000);
  const offsets: (string | undefined)[] = [];
  for (const at of wrong) {
    const [answer] = await producer.send({ topic, messages: [{ value: 'x', timestamp: String(at) }] });
    offsets.push(answer?.baseOffset);
  }
  expect(offsets).toEqual(['0', '1']);
  await producer.disconnect();
  await world.close();
}, 30_000);

it('adds partitions to a topic that nobody reads, and leaves one that workers read to a deploy', async () => {
  const world = await freshNamespace();
  const brokers = required(world.environment, 'KAFKA_BROKERS');
  const topic = topicName(world.environment.DOWNSPOUT_NAMESPACE, 'read');
  const setUp = (partitions: number) => setUpTopics(brokers, [{ name: topic, partitions, group: `${topic}.group` }]);
  await setUp(1);
  expect(await setUp(2)).toMatchObject({ changed: [topic], faults: [] });
  const consumer = kafkaClient({ brokers, clientId: 'test', log: () => undefined }).consumer({
    groupId: `${topic}.group`,
  });
  await consumer.connect();
  await consumer.subscribe({ topic });
  const joined = new Promise((resolve) => {
    consumer.on(consumer.events.GROUP_JOIN, resolve);
  });
  await consumer.run({ eachMessage: async () => undefined });
  await joined;
  expect(await setUp(3)).toMatchObject({
    changed: [],
    faults: [
      { topic, text: 'has 2 partitions, needs 3, and its workers run', remedy: expect.stringContaining('deploy') },
    ],
  });
  await consumer.disconnect();
  expect(await setUp(3)).toMatchObject({ changed: [topic], faults: [] });
  await world.close();
}, 60_000);

describe('how safely topics are kept', () => {
  let world: World;
  let admin: Admin;
  beforeAll(async () => {
    world = await freshNamespace();
    const brokers = required(world.environment, 'KAFKA_BROKERS');
    admin = kafkaClient({ brokers, clientId: 'test', log: () => undefined }).admin();
    await admin.connect();
  }, 30_000);
  afterAll(async () => {
    await admin.disconnect();
    await world.close();
  });

  const setUp = async (name: string, durability: Durability, settings = {}) => {
    const topic = topicName(world.environment.DOWNSPOUT_NAMESPACE, name);
    const brokers = required(world.environment, 'KAFKA_BROKERS');
    const { left } = await setUpTopics(brokers, [{ name: topic, partitions: 1, settings }], undefined, durability);
    return left;
  };

  /** Settings that the topic has itself. */
  async function ownSettings(name: string): Promise<Record<string, string>> {
    const topic = topicName(world.environment.DOWNSPOUT_NAMESPACE, name);
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: ConfigResourceTypes.TOPIC, name: topic }],
    });
    const own =
      resources[0]?.configEntries.filter(({ configSource }) => configSource === ConfigSource.TOPIC_CONFIG) ?? [];
    return Object.fromEntries(own.map(({ configName, configValue }) => [configName, configValue]));
  }

  it('is what a new topic is made with, and what an old one gets; its other settings stay', async () => {
    expect(await setUp('a', {}, { 'retention.ms': '3600000' })).toEqual([]);
    const before = await ownSettings('a');
    expect(before).toMatchObject({ 'retention.ms': '3600000', 'compression.type': 'producer' });
    expect(before).not.toHaveProperty(['min.insync.replicas']);
    for (const name of ['a', 'b']) {
      expect(await setUp(name, { replicationFactor: 1, minInsyncReplicas: 1 })).toEqual([]);
      expect(await ownSettings(name)).toMatchObject({ 'compression.type': 'producer', 'min.insync.replicas': '1' });
    }
    expect(await ownSettings('a')).toEqual({ ...before, 'min.insync.replicas': '1' });
  }, 30_000);

  it('is left as it is where a topic has another number of copies, and that is said', async () => {
    await setUp('c', {});
    expect(await setUp('c', { replicationFactor: 3, minInsyncReplicas: 2 })).toEqual([
      expect.stringMatching(/c has 1 replicas and topology\.yaml says 3: kafka-reassign-partitions\.sh/),
      expect.stringMatching(/c keeps its min\.insync\.replicas, because 2 of 1 would refuse every record/),
    ]);
    expect(await ownSettings('c')).not.toHaveProperty(['min.insync.replicas']);
  }, 30_000);

  it('is refused for a new topic when there are too few brokers', async () => {
    await expect(setUp('d', { replicationFactor: 3 })).rejects.toThrow(
      'topics.replicationFactor is 3, and Kafka has 1 brokers. Start more brokers, or lower it in topology.yaml.',
    );
    expect(await admin.listTopics()).not.toContain(topicName(world.environment.DOWNSPOUT_NAMESPACE, 'd'));
  }, 30_000);
});

describe('a topic is watched from the first fetch on', () => {
  const events = { FETCH: 'fetch', CRASH: 'crash', DISCONNECT: 'disconnect' };
  let emitter: EventEmitter;
  let clock: ManualClock;
  let fetched: Promise<void>;

  beforeEach(() => {
    emitter = new EventEmitter();
    clock = new ManualClock();
    fetched = firstFetch(Object.assign(emitter, { events }) as unknown as Consumer, clock);
  });

  it('which is waited for', async () => {
    emitter.emit(events.FETCH);
    await fetched;
    expect(clock.timers).toBe(0);
  });

  it('but not beyond what ends the consumer', async () => {
    emitter.emit(events.CRASH, { payload: { error: new Error('the broker is gone') } });
    await expect(fetched).rejects.toThrow('the broker is gone');
    expect(clock.timers).toBe(0);
  });

  it('and not for ever: a broker that died may never be missed', async () => {
    const [ended] = await Promise.allSettled([fetched, clock.advance(30_000)]);
    expect(ended).toMatchObject({ reason: new Unavailable('Kafka: the new group reads nothing after 30 s') });
  });
});
