import { KafkaAcks } from '../../../connectors/kafka/kafka-acks';
import { KafkaAdmin } from '../../../connectors/kafka/kafka-admin';
import { kafkaClient } from '../../../connectors/kafka/kafka-client';
import { KafkaStreams } from '../../../connectors/kafka/kafka-streams';
import { readLag } from '../../../connectors/kafka/lag';
import { setUpTopics } from '../../../connectors/kafka/topic-set-up';
import { systemClock } from '../../../topology/core/clock';
import { Unavailable } from '../../../topology/core/errors';
import { required } from '../../../topology/settings/environment';
import { topicName } from '../../../topology/streams';
import { freshNamespace, type World } from '../../support/stack/stack';
import { until } from '../../support/until';

const reading = { component: 'webhook', stream: 'due.webhook' };
const listener = {
  rebalancing: () => undefined,
  positionOf: () => undefined,
  assigned: () => undefined,
  records: (_: number, records: readonly unknown[]) => records.length,
  crashed: () => undefined,
};

describe('acks and lag', () => {
  let world: World;
  let admin: KafkaAdmin;
  let streams: KafkaStreams;
  let namespace: string;

  beforeAll(async () => {
    world = await freshNamespace();
    namespace = world.environment.DOWNSPOUT_NAMESPACE;
    const brokers = required(world.environment, 'KAFKA_BROKERS');
    await setUpTopics(brokers, [{ name: topicName(namespace, 'due.webhook'), partitions: 2 }]);
    const kafka = { brokers, clientId: 'host/1', log: () => undefined };
    admin = new KafkaAdmin(kafkaClient(kafka));
    streams = new KafkaStreams(kafka, admin, systemClock, namespace);
  }, 30_000);

  afterAll(async () => {
    await Promise.all([streams.close(), admin.close()]);
    await world.close();
  }, 30_000);

  it('tells what is committed, what is in the log, and who owns it', async () => {
    const acks = new KafkaAcks(admin, namespace);
    expect(await acks.read('webhook')).toEqual([
      { partition: 0, committed: -1, low: 0, high: 0 },
      { partition: 1, committed: -1, low: 0, high: 0 },
    ]);
    const value = Buffer.from('x');
    await streams.append(
      'due.webhook',
      [0, 0, 0, 1].map((partition) => ({ partition, value })),
    );
    const nobody = await readLag(admin, namespace, [reading]);
    expect(nobody.map(({ owner, committed, high, lag }) => [owner, committed, high, lag])).toEqual([
      [null, null, 3, null],
      [null, null, 1, null],
    ]);
    const member = await streams.consume('webhook', 'due.webhook', listener);
    await member.commit([{ partition: 0, offset: 2 }]);
    expect(await acks.read('webhook')).toEqual([
      { partition: 0, committed: 2, low: 0, high: 3 },
      { partition: 1, committed: -1, low: 0, high: 1 },
    ]);
    const owned = await readLag(admin, namespace, [reading]);
    expect(owned.map(({ owner, committed, lag }) => [owner, committed, lag])).toEqual([
      ['host/1', 2, 1],
      ['host/1', null, 1],
    ]);
    await member.leave();
    expect((await readLag(admin, namespace, [reading])).map(({ owner }) => owner)).toEqual([null, null]);
  }, 30_000);

  it('notices partitions that are added', async () => {
    const brokers = required(world.environment, 'KAFKA_BROKERS');
    const topic = topicName(namespace, 'growing');
    await setUpTopics(brokers, [{ name: topic, partitions: 1 }]);
    // Right after it was made, a partition may have no leader yet.
    const partitions = () =>
      admin.logs(topic).then(
        (logs) => logs.map(({ partition }) => partition).join(),
        () => '',
      );
    await until('one partition', async () => (await partitions()) === '0');
    await setUpTopics(brokers, [{ name: topic, partitions: 3 }]);
    await until('three partitions', async () => (await partitions()) === '0,1,2');
    expect(await partitions()).toBe('0,1,2');
  }, 30_000);

  it('says what to do about a stream that is not there', async () => {
    await expect(streams.consume('webhook', 'missing', listener)).rejects.toThrow(Unavailable);
    await expect(streams.consume('webhook', 'missing', listener)).rejects.toThrow('Run `downspout provision`');
  }, 30_000);
});
