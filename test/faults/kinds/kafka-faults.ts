import { ConfigResourceTypes } from 'kafkajs';
import type { KafkaAdmin } from '../../../connectors/kafka/kafka-admin';
import { kafkaClient } from '../../../connectors/kafka/kafka-client';
import { setUpTopics } from '../../../connectors/kafka/topic-set-up';
import { lagOf, withKafka } from '../../../deploy/inspect/kafka';
import { run } from '../../../deploy/stack/host/commands';
import { systemClock } from '../../../topology/core/clock';
import { required } from '../../../topology/settings/environment';
import { topologyOf } from '../../../topology/settings/topology-settings';
import { SPOUT } from '../../../topology/streams';
import { removeTopics } from '../../support/stack/removal';
import { until } from '../../support/until';
import type { Arena } from '../world/arena';
import type { Fault } from './fault';
import { amid, burst } from './moments';

export const kafkaFaults: readonly Fault[] = [
  {
    name: 'Kafka is killed and down for some seconds while messages come due',
    short: true,
    mostLateMs: 45_000,
    run: async ({ stack }) => {
      await stack.kill('kafka');
      await systemClock.sleep(3_000);
      await stack.restart('kafka');
    },
  },
  {
    name: 'Kafka is down for a minute',
    short: false,
    mostLateMs: 120_000,
    run: async ({ stack }) => {
      await stack.kill('kafka');
      await systemClock.sleep(60_000);
      await stack.restart('kafka');
    },
  },
  {
    name: 'Kafka hangs, then continues',
    short: false,
    mostLateMs: 60_000,
    run: async ({ stack }) => {
      stack.signal('kafka', 'SIGSTOP');
      await systemClock.sleep(15_000);
      stack.signal('kafka', 'SIGCONT');
    },
  },
  {
    name: "Kafka's disk is full",
    short: false,
    mostLateMs: 60_000,
    run: async (arena) => {
      const { stack } = arena;
      // No file may grow: what a full disk answers, without a disk to fill.
      await run('prlimit', ['--pid', String(stack.pidOf('kafka')), '--fsize=4096']);
      await burst(arena, 500, 2_500);
      await systemClock.sleep(8_000);
      if (stack.isAlive('kafka')) await stack.kill('kafka');
      await stack.restart('kafka');
    },
  },
  {
    name: 'a due topic is deleted and made again',
    short: false,
    mostLateMs: 60_000,
    run: async (arena) => {
      const brokers = required(arena.environment, 'KAFKA_BROKERS');
      await burst(arena, 500, 3_000);
      await removeTopics(brokers, 'due.webhook');
      await systemClock.sleep(1_000);
      await setUpTopics(brokers, [{ name: 'due.webhook', partitions: 8 }]);
    },
  },
  {
    name: 'the topic of changes is deleted and made again',
    short: true,
    mostLateMs: 60_000,
    run: async (arena) => {
      const brokers = required(arena.environment, 'KAFKA_BROKERS');
      await burst(arena, 500, 3_000);
      await removeTopics(brokers, 'schedule-changes');
      await setUpTopics(brokers, [{ name: 'schedule-changes', partitions: 8 }]);
      // The load makes changes in every partition; a spout that follows the new log commits its place in it.
      await until('the spouts read the new log', () =>
        // For a moment the new topic has no leaders.
        withKafka(arena.environment, (admin) => spoutsFollow(arena, admin)).catch(() => false),
      );
    },
  },
  {
    name: "the compression of the bolt's and the spout's topics changes under load",
    short: true,
    mostLateMs: 20_000,
    run: async (arena) => {
      for (const type of ['lz4', 'zstd', 'snappy', 'gzip', 'uncompressed']) {
        await compress(arena, type);
        await burst(arena, 200, 1_000);
        await amid(arena, 200);
      }
      await compress(arena, 'producer');
    },
  },
];

/** The topics keep this compression, whatever the producer asks for. */
async function compress({ environment }: Arena, type: string): Promise<void> {
  const brokers = required(environment, 'KAFKA_BROKERS');
  const admin = kafkaClient({ brokers, clientId: 'operator', log: () => undefined }).admin();
  await admin.connect();
  try {
    // AlterConfigs replaces every setting of a topic, so the broker's time is named again.
    const configEntries = [
      { name: 'message.timestamp.type', value: 'LogAppendTime' },
      { name: 'compression.type', value: type },
    ];
    const topics = ['due.webhook', 'schedule-changes'];
    await admin.alterConfigs({
      validateOnly: false,
      resources: topics.map((name) => ({ type: ConfigResourceTypes.TOPIC, name, configEntries })),
    });
  } finally {
    await admin.disconnect();
  }
}

async function spoutsFollow({ environment }: Arena, admin: KafkaAdmin): Promise<boolean> {
  const lags = (await lagOf(environment, topologyOf(environment), admin)).filter(
    ({ component }) => component === SPOUT,
  );
  return lags.every(({ committed, high }) => committed !== null && committed > 0 && committed <= high);
}
