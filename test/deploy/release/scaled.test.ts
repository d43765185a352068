import { differing, parseScale, scaled } from '../../../deploy/release/scaled';
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
});

test('it is said what the file says otherwise', () => {
  const file = testSettings('{ webhook: { replicas: 2 } }');
  expect(differing(file, [parseScale('webhook=2')])).toEqual([]);
  expect(differing(file, [parseScale('webhook=6'), parseScale('mail=1')])).toEqual([
    'webhook.replicas is 2 in the file and 6 in what runs',
    'mail.replicas is not in the file and 1 in what runs',
  ]);
});
