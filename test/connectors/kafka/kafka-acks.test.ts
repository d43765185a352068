import { KafkaAcks } from '../../../connectors/kafka/kafka-acks';
import type { KafkaAdmin } from '../../../connectors/kafka/kafka-admin';

test('a partition without a leader settles nothing outside of its log, and the others are read', async () => {
  const admin = {
    committed: async () => new Map([[1, 7]]),
    logsIfKnown: async () => [
      { partition: 0, low: 2, high: 9 },
      { partition: 1, low: undefined, high: undefined },
    ],
  };
  expect(await new KafkaAcks(admin as unknown as KafkaAdmin, '').read('webhook')).toEqual([
    { partition: 0, committed: -1, low: 2, high: 9 },
    { partition: 1, committed: 7, low: 0, high: Number.POSITIVE_INFINITY },
  ]);
});
