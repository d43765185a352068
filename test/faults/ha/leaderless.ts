import { KafkaAdmin } from '../../../connectors/kafka/kafka-admin';
import { kafkaClient } from '../../../connectors/kafka/kafka-client';
import { KafkaStreams } from '../../../connectors/kafka/kafka-streams';
import { systemClock } from '../../../topology/core/clock';
import { PartlyAppended } from '../../../topology/core/errors';
import { required } from '../../../topology/settings/environment';
import { until } from '../../support/until';
import type { HaTrial } from './ha-trial';

const TOPIC = 'leaderless';
const PARTITIONS = [0, 1, 2];
const BROKER_OF_LAST = 'kafka-c';

/**
 * A topic of which each broker has one partition and no copy: while a broker is away, what goes to the others is appended,
 * and what goes to its own partition says so.
 * @returns what was not so
 */
export async function partitionWithoutLeader({ world }: HaTrial): Promise<string[]> {
  const options = { brokers: required(world.environment, 'KAFKA_BROKERS'), clientId: TOPIC, log: () => undefined };
  const admin = kafkaClient(options).admin();
  const streamsAdmin = new KafkaAdmin(kafkaClient(options));
  const streams = new KafkaStreams(options, streamsAdmin, systemClock, '');
  const append = (partitions: readonly number[]) =>
    streams
      .append(
        TOPIC,
        partitions.map((partition) => ({ partition, key: 'k', value: Buffer.from('v') })),
      )
      .catch((error: unknown) => {
        if (error instanceof PartlyAppended) return error.offsets;
        throw error;
      });
  const broken: string[] = [];
  const expectAppended = async (when: string, asked: readonly number[], expected: readonly number[]) => {
    const offsets = await append(asked);
    const appended = asked.filter((_, n) => offsets[n] !== undefined);
    if (appended.join() !== expected.join())
      broken.push(`${when}: appended to ${appended.join()}, not ${expected.join()}`);
  };
  try {
    await admin.connect();
    await admin.createTopics({
      waitForLeaders: true,
      topics: [
        {
          topic: TOPIC,
          replicaAssignment: PARTITIONS.map((partition) => ({ partition, replicas: [partition + 1] })),
          configEntries: [{ name: 'min.insync.replicas', value: '1' }],
        },
      ],
    });
    await expectAppended('with all brokers', PARTITIONS, PARTITIONS);
    await world.kill(BROKER_OF_LAST);
    await expectAppended('with one broker away', PARTITIONS, [0, 1]);
    await expectAppended('with one broker away, to the others', [0, 1], [0, 1]);
    await world.revive(BROKER_OF_LAST);
    await until('the partition confirms again', async () => (await append([2]))[0] !== undefined);
  } finally {
    await admin.deleteTopics({ topics: [TOPIC] }).catch(() => undefined);
    await Promise.all([admin.disconnect(), streams.close(), streamsAdmin.close()]);
  }
  return broken;
}
