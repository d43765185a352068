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
});
