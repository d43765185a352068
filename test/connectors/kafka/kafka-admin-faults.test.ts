import type { Kafka } from 'kafkajs';
import { KafkaAdmin } from '../../../connectors/kafka/kafka-admin';
import { Unavailable } from '../../../topology/core/errors';

describe('KafkaAdmin', () => {
  it("takes the client's stumble over missing leaders for Kafka being away, not for a bug", async () => {
    const admin = {
      connect: async () => undefined,
      disconnect: async () => undefined,
      fetchTopicMetadata: async () => ({ topics: [{ partitions: [{}, {}] }] }),
      fetchTopicOffsets: async () => {
        throw new TypeError("Cannot destructure property 'partitions' of 'low.pop(...)' as it is undefined.");
      },
    };
    const kafka = { admin: () => admin } as unknown as Kafka;
    await expect(new KafkaAdmin(kafka).logs('due.webhook')).rejects.toBeInstanceOf(Unavailable);
  });

  it('takes partitions that are there for given, although Kafka refuses what it did when its answer was lost', async () => {
    let partitions = 4;
    const enlarging = {
      connect: async () => undefined,
      disconnect: async () => undefined,
      fetchTopicMetadata: async () => ({ topics: [{ partitions: Array.from({ length: partitions }, () => ({})) }] }),
      createPartitions: async () => {
        throw Object.assign(new Error('Topic already has 16 partitions.'), { type: 'INVALID_PARTITIONS' });
      },
    };
    const admin = new KafkaAdmin({ admin: () => enlarging } as unknown as Kafka);
    expect(await admin.enlarge('due.webhook', 16)).toMatch(/already has/);
    partitions = 16;
    expect(await admin.enlarge('due.webhook', 16)).toBeNull();
  });
});
