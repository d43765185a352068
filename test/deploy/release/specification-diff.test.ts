import { specificationDiff } from '../../../deploy/release/specification-diff';
import { parseTopologySettings } from '../../../topology/settings/topology-settings';

const diff = (before: string | null, after: string) =>
  specificationDiff(
    before === null ? null : parseTopologySettings(before, 'before'),
    parseTopologySettings(after, 'after'),
  );

test('what differs is told with its component, its field and its units', () => {
  const before = 'components: { webhook: { partitions: 8, timeout: 5s } }';
  const after =
    'components: { due: { lead: 3s }, webhook: { partitions: 16, timeout: 90s, maxHeldBytes: 1GiB } }\ntopics: { minInsyncReplicas: 2 }';
  expect(diff(before, after)).toEqual([
    { component: null, field: 'minInsyncReplicas', from: null, to: '2' },
    { component: 'due', field: 'lead', from: '2s', to: '3s' },
    { component: 'webhook', field: 'partitions', from: '8', to: '16' },
    { component: 'webhook', field: 'maxHeldBytes', from: '128MiB', to: '1GiB' },
    { component: 'webhook', field: 'timeout', from: '5s', to: '90s' },
  ]);
});

test('limits are shown as a file has them, and a time that is none', () => {
  const [before, after] = [
    'components: { x: {} }',
    'components: { x: { limits: { perAccount: { rate: 50/15min } } } }',
  ];
  const limits = { component: 'x', field: 'limits' };
  expect(diff(before, after)).toEqual([{ ...limits, from: null, to: 'perAccount 50/15min' }]);
  const without = 'components: { x: { limits: { perAccount: {}, perApp: { perDay: 9 } }, sendWithin: none } }';
  expect(diff(after, without)).toEqual([
    { ...limits, from: 'perAccount 50/15min', to: 'perAccount none; perApp 9/1d' },
    { component: 'x', field: 'sendWithin', from: null, to: 'none' },
  ]);
});

test('another way to write the same, and a default that is written down, are no change', () => {
  const short = 'components: { webhook: {} }';
  const long =
    'components: { due: { lead: 2000, replicas: 2 }, webhook: { timeout: 10000ms, giveUpAfter: 1d } }\ntopics: {}';
  expect(diff(short, long)).toEqual([]);
});

test('a component that is new or gone is one change', () => {
  const change = { component: 'second', field: null };
  const [without, having] = ['components: { webhook: {} }', 'components: { webhook: {}, second: { replicas: 3 } }'];
  expect(diff(without, having)).toEqual([{ ...change, from: null, to: '3 workers, 8 partitions' }]);
  expect(diff(having, without)).toEqual([{ ...change, from: '3 workers, 8 partitions', to: null }]);
});

test('the packages of channels are one field, whose order counts', () => {
  const webhook = 'components: { webhook: {} }';
  const change = { component: null, field: 'channels' };
  expect(diff(webhook, `channels: ["@acme/a"]\n${webhook}`)).toEqual([{ ...change, from: null, to: '@acme/a' }]);
  expect(diff(`channels: [a, b]\n${webhook}`, `channels: [b]\n${webhook}`)).toEqual([
    { ...change, from: 'a, b', to: 'b' },
  ]);
  expect(diff(`channels: []\n${webhook}`, webhook)).toEqual([]);
});

test('before the first release everything is new', () => {
  expect(diff(null, 'components: { webhook: {} }').map(({ component }) => component)).toEqual(['due', 'webhook']);
});
