import { differing, parseScale, scaled, scaledBeside } from '../../../deploy/release/scaled';
import { testSettings } from '../../support/stack/stack';

const specification = { components: { due: { lead: '2s' }, webhook: { replicas: 2, partitions: 8, timeout: '5s' } } };

test('counts are changed, and everything else stays as it is written', () => {
  expect(scaled(specification, [parseScale('webhook=6'), parseScale('due.partitions=16')])).toEqual({
    components: { due: { lead: '2s', partitions: 16 }, webhook: { replicas: 6, partitions: 8, timeout: '5s' } },
  });
  expect(specification.components.webhook.replicas).toBe(2);
});

test.each(['webhook', 'webhook=', 'webhook=0', 'webhook=-1', 'webhook=many', '=3', 'webhook.timeout=3'])(
  'what is no count is refused: %s',
  (text) => {
    expect(() => parseScale(text)).toThrow('expected a component and a count, such as webhook=6');
  },
);

test('more workers than partitions are refused with the reason, and an unknown component with what it may have been', () => {
  expect(() => scaled(specification, [parseScale('webhook=9')])).toThrow(/scale webhook\.replicas=9: .*partition/);
  expect(() => scaled(specification, [parseScale('webhok=3')])).toThrow(
    'There is no component "webhok" in the release that runs. Did you mean webhook? It has: due, webhook.',
  );
  expect(scaled(specification, [parseScale('webhook=9'), parseScale('webhook.partitions=9')])).toBeDefined();
  expect(() => scaled(specification, [parseScale('webhook=3'), parseScale('webhook.replicas=4')])).toThrow(
    'webhook.replicas is given twice. Give one count of each.',
  );
});

const streamOf = (component: string, to: number, from: number) => ({
  component,
  stream: `due.${component}`,
  from,
  to,
});
const kept = (replicas: number, partitions: number) => ({
  components: { due: { lead: '2s' }, webhook: { replicas, partitions, timeout: '5s' } },
});

test('partitions that a release which was taken back has added stay and may have workers; fewer than there are, are refused', () => {
  const there = [streamOf('due', 8, 8), streamOf('webhook', 8, 16)];
  expect(scaledBeside(specification, there, [parseScale('webhook=12')])).toEqual(kept(12, 16));
  expect(scaledBeside(specification, there, [parseScale('webhook.partitions=32')])).toEqual(kept(2, 32));
  expect(() => scaledBeside(specification, there, [parseScale('webhook.partitions=12')])).toThrow(
    'due.webhook has 16 partitions, and webhook.partitions says 12: partitions cannot be taken away. Write 16 or more.',
  );
  // Streams that are not there yet.
  const none = there.map((one) => ({ ...one, from: 0 }));
  expect(scaledBeside(specification, none, [parseScale('webhook.partitions=4')])).toEqual(kept(2, 4));
});

test('it is said what the file says otherwise', () => {
  const file = testSettings('{ webhook: { replicas: 2 } }');
  expect(differing(file, [parseScale('webhook=2')])).toEqual([]);
  expect(differing(file, [parseScale('webhook=6'), parseScale('mail=1')])).toEqual([
    'webhook.replicas is 2 in the file and 6 in what runs',
    'mail.replicas is not in the file and 1 in what runs',
  ]);
});
