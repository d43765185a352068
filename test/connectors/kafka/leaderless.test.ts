import { KafkaAcks } from '../../../connectors/kafka/kafka-acks';
import { KafkaAdmin } from '../../../connectors/kafka/kafka-admin';
import { KafkaAppender } from '../../../connectors/kafka/kafka-appender';
import { kafkaClient } from '../../../connectors/kafka/kafka-client';
import { KafkaJSError } from '../../../connectors/kafka/kafkajs';

interface ListRequest {
  readonly topics: readonly {
    readonly topic: string;
    readonly partitions: readonly { readonly partition: number; readonly timestamp: number }[];
  }[];
}

interface ProduceRequest {
  readonly topicData: readonly {
    readonly topic: string;
    readonly partitions: readonly { readonly partition: number; readonly messages: readonly unknown[] }[];
  }[];
}

const EARLIEST = -2;
/** Of each partition of the topic, -1 where it has none. */
const leaders = [1, 1, -1, 2];
const ends = [5, 0, 0, 7];

/** The answers of a broker that keeps the logs of its partitions. */
const broker = (nodeId: number) => ({
  nodeId,
  listOffsets: async ({ topics }: ListRequest) => ({
    responses: topics.map(({ topic, partitions: asked }) => ({
      topic,
      partitions: asked.map(({ partition, timestamp }) => ({
        partition,
        offset: String(timestamp === EARLIEST ? 0 : ends[partition]),
      })),
    })),
  }),
  produce: async ({ topicData }: ProduceRequest) => ({
    topics: topicData.map(({ topic, partitions: sent }) => ({
      topicName: topic,
      partitions: sent.map(({ partition, messages }) => {
        const baseOffset = ends[partition] as number;
        ends[partition] = baseOffset + messages.length;
        return { partition, errorCode: 0, baseOffset: String(baseOffset) };
      }),
    })),
  }),
});

const nothing = async () => undefined;
const partitions = () => leaders.map((leader, partitionId) => ({ partitionId, leader, partitionErrorCode: 0 }));

/** The client itself, whose brokers are scripted: what it knows of the cluster, and what brokers answer. */
function script(): void {
  const { prototype } = require('kafkajs/src/cluster') as { prototype: Record<string, unknown> };
  Object.assign(prototype, {
    connect: nothing,
    disconnect: nothing,
    refreshMetadata: nothing,
    refreshMetadataIfNecessary: nothing,
    addTargetTopic: nothing,
    addMultipleTargetTopics: nothing,
    isConnected: () => true,
    findTopicPartitionMetadata: partitions,
    metadata: async () => ({
      topicMetadata: [{ topic: 'due.webhook', topicErrorCode: 0, partitionMetadata: partitions() }],
    }),
    findGroupCoordinator: async () => ({
      offsetFetch: async () => ({
        responses: [{ topic: 'due.webhook', partitions: [{ partition: 2, offset: '4', metadata: null }] }],
      }),
    }),
    findBroker: async ({ nodeId }: { nodeId: string }) => {
      if (Number(nodeId) === -1) throw new KafkaJSError('Broker -1 not found in the cached metadata');
      return broker(Number(nodeId));
    },
  });
}

test('a partition without a leader keeps the others neither from being appended nor from being acked', async () => {
  const kafka = kafkaClient({ brokers: ['127.0.0.1:1'], clientId: 'test', log: () => undefined });
  script();
  const admin = new KafkaAdmin(kafka);
  await expect(admin.logs('due.webhook')).rejects.toThrow('partition 2 of due.webhook has no leader');
  expect(await new KafkaAcks(admin, '').read('webhook')).toEqual([
    { partition: 0, committed: -1, low: 0, high: 5 },
    { partition: 1, committed: -1, low: 0, high: 0 },
    { partition: 2, committed: 4, low: 0, high: Number.POSITIVE_INFINITY },
    { partition: 3, committed: -1, low: 0, high: 7 },
  ]);
  const producer = kafka.producer({
    retry: { retries: 0 },
    createPartitioner:
      () =>
      ({ message }) =>
        message.partition as number,
  });
  await producer.connect();
  const appender = new KafkaAppender(producer, 'due.webhook');
  const append = (...to: number[]) => appender.append(to.map((partition) => ({ partition, value: Buffer.from('x') })));
  await expect(append(0, 2, 3)).rejects.toMatchObject({ offsets: [5, undefined, 7] });
  expect(await append(0, 1, 3)).toEqual([6, 0, 8]);
  leaders[2] = 2;
  expect(await append(2, 3)).toEqual([0, 9]);
  expect((await admin.logs('due.webhook')).map(({ high }) => high)).toEqual([7, 1, 1, 10]);
});
