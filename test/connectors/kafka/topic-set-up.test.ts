import { kafkaClient } from '../../../connectors/kafka/kafka-client';
import { setUpTopics } from '../../../connectors/kafka/topic-set-up';
import { systemClock } from '../../../topology/core/clock';
import { required } from '../../../topology/settings/environment';
import { topicName } from '../../../topology/streams';
import { freshNamespace } from '../../support/stack/stack';

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
