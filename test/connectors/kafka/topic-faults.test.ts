import { type TopicAsItIs, type TopicSpec, topicFaults } from '../../../connectors/kafka/topic-faults';

const spec: TopicSpec = { name: 'due.webhook', partitions: 8 };
const fitting = {
  'cleanup.policy': 'delete',
  'retention.ms': '604800000',
  'retention.bytes': '-1',
  'max.message.bytes': '1048588',
  'min.insync.replicas': '2',
};
const live = (settings: Record<string, string> = {}, shape: Partial<TopicAsItIs> = {}): TopicAsItIs => ({
  partitions: 8,
  replicas: 3,
  settings: { ...fitting, ...settings },
  ...shape,
});
const textsOf = (one: TopicSpec, other: TopicAsItIs) => topicFaults(one, other).map(({ text }) => text);

test('a topic that fits has no faults, whatever else it says', () => {
  expect(topicFaults(spec, live({ 'compression.type': 'zstd', 'segment.ms': '1' }))).toEqual([]);
});

test.each([
  [{ 'cleanup.policy': 'compact' }, 'cleanup.policy is compact, needs delete'],
  [{ 'cleanup.policy': 'compact,delete' }, 'cleanup.policy is compact,delete, needs delete'],
  [{ 'retention.ms': '60000' }, 'retention.ms is 60000, needs 3600000 or more'],
  [{ 'max.message.bytes': '1000' }, 'max.message.bytes is 1000, needs 1000000 or more'],
  [{ 'min.insync.replicas': '4' }, 'min.insync.replicas is 4, needs 3 or less'],
])('%j is a fault', (settings, text) => {
  const [fault, ...others] = topicFaults(spec, live(settings));
  expect(fault?.text).toContain(text);
  expect(fault?.remedy).toMatch(/^kafka-configs\.sh --alter --topic due\.webhook --add-config [\w.]+=\w+$/);
  expect(others).toEqual([]);
});

test('what is kept for ever may not be deleted, neither by age nor by size', () => {
  const kept = { ...spec, retentionMs: -1 };
  expect(textsOf(kept, live({ 'retention.ms': '-1' }))).toEqual([]);
  expect(textsOf(kept, live({ 'retention.ms': String(2n ** 63n - 1n) }))).toEqual([]);
  expect(textsOf(kept, live({ 'retention.bytes': '1000000000' }))).toEqual([
    'retention.ms is 604800000, needs -1 (for ever)',
    'retention.bytes is 1000000000, needs -1 (all of it)',
  ]);
});

test('partitions cannot be taken away', () => {
  expect(textsOf(spec, live({}, { partitions: 9 }))).toEqual([
    'has 9 partitions and topology.yaml says 8: partitions cannot be taken away',
  ]);
});

test('of settings that may not be read nothing is said', () => {
  expect(topicFaults(spec, live({}, { settings: null }))).toEqual([]);
});
