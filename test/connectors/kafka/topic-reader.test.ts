import { type Admin, KafkaJSProtocolError } from 'kafkajs';
import { readTopic } from '../../../connectors/kafka/topic-reader';
import { ManualClock, settled } from '../../support/manual-clock';

const unknown = () =>
  new KafkaJSProtocolError(
    Object.assign(new Error('This server does not host this topic-partition'), { type: 'UNKNOWN_TOPIC_OR_PARTITION' }),
  );

/** An admin whose questions come to brokers that know the topic only after so many questions. */
function admin(metadataUnknown: number, settingsUnknown: number): Admin {
  let [metadata, settings] = [metadataUnknown, settingsUnknown];
  return {
    listTopics: async () => ['due'],
    fetchTopicMetadata: async () => {
      if (metadata-- > 0) throw unknown();
      return { topics: [{ name: 'due', partitions: [{ replicas: [1, 2] }, { replicas: [1, 2, 3] }] }] };
    },
    describeConfigs: async () => {
      if (settings-- > 0) throw unknown();
      return { resources: [{ configEntries: [{ configName: 'retention.ms', configValue: '1' }] }] };
    },
  } as unknown as Admin;
}

test('a topic is read once every broker that is asked knows it', async () => {
  const clock = new ManualClock();
  let read: unknown;
  void readTopic(admin(2, 1), 'due', clock).then((topic) => {
    read = topic;
  });
  await settled();
  expect(read).toBeUndefined();
  await clock.advance(300);
  expect(read).toEqual({ partitions: 2, replicas: 2, settings: { 'retention.ms': '1' } });
});

test('a topic that a broker does not know for long is unavailable', async () => {
  const clock = new ManualClock();
  const reading = readTopic(admin(Number.POSITIVE_INFINITY, 0), 'due', clock).catch(String);
  await clock.advance(31_000);
  expect(await reading).toContain('a broker does not know the topic due');
});
