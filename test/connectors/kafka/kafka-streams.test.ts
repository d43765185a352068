import { KafkaAdmin } from '../../../connectors/kafka/kafka-admin';
import { kafkaClient } from '../../../connectors/kafka/kafka-client';
import { KafkaStreams } from '../../../connectors/kafka/kafka-streams';
import { groupName } from '../../../connectors/kafka/names';
import { setUpTopics } from '../../../connectors/kafka/topic-set-up';
import { systemClock } from '../../../topology/core/clock';
import { required } from '../../../topology/settings/environment';
import { topicName } from '../../../topology/streams';
import { streamsBattery } from '../../support/kafka/streams-battery';
import { removeTopics } from '../../support/stack/removal';
import { freshNamespace } from '../../support/stack/stack';

describe('streams in Kafka', () => {
  streamsBattery(async () => {
    const world = await freshNamespace();
    const brokers = required(world.environment, 'KAFKA_BROKERS');
    const namespace = world.environment.DOWNSPOUT_NAMESPACE;
    const kafka = { brokers, clientId: 'test', log: () => undefined };
    const admin = new KafkaAdmin(kafkaClient(kafka));
    const workers: KafkaStreams[] = [];
    return {
      worker: async () => {
        const worker = new KafkaStreams(kafka, admin, systemClock, namespace);
        workers.push(worker);
        return worker;
      },
      createStream: async (name, partitions) => {
        await setUpTopics(brokers, [{ name: topicName(namespace, name), partitions }]);
      },
      createStreamAgain: async (name, partitions) => {
        const topic = topicName(namespace, name);
        await removeTopics(brokers, topic);
        await setUpTopics(brokers, [{ name: topic, partitions }]);
      },
      committed: async (component, stream, partition) => {
        const committed = await admin.committed(groupName(namespace, component), topicName(namespace, stream));
        return committed.get(partition) ?? -1;
      },
      close: async () => {
        await Promise.all(workers.map((worker) => worker.close()));
        await admin.close();
        await world.close();
      },
    };
  });
});
