import { workerKey } from '../../../deploy/targets/worker-key';
import { testSettings } from '../../support/stack/stack';

const keyOf = (components: string, component: string, packageVersion = '1.0.0') =>
  workerKey({ settings: testSettings(components), packageVersion, image: null }, component);

test.each([
  ['replicas', '{ webhook: { replicas: 2 } }', '{ webhook: { replicas: 6 } }'],
  ['partitions', '{ webhook: {} }', '{ due: { partitions: 16 }, webhook: { partitions: 16 } }'],
  ['a default that is written down', '{ webhook: {} }', '{ due: { lead: 2s }, webhook: { timeout: 10s } }'],
])('no worker is replaced for %s', (_, before, after) => {
  for (const component of ['due', 'webhook']) expect(keyOf(after, component)).toBe(keyOf(before, component));
});

test('only the workers that read a setting are replaced for it', () => {
  const before = '{ webhook: {} }';
  const timeout = '{ webhook: { timeout: 3s } }';
  expect(keyOf(timeout, 'webhook')).not.toBe(keyOf(before, 'webhook'));
  expect(keyOf(timeout, 'due')).toBe(keyOf(before, 'due'));
  const lead = '{ due: { lead: 3s }, webhook: {} }';
  for (const component of ['due', 'webhook']) expect(keyOf(lead, component)).not.toBe(keyOf(before, component));
});

test('spouts read the time-outs of channels whose messages they keep back for so long after a bolt has died', () => {
  const [before, after] = ['{ x: { timeout: 10s }, webhook: {} }', '{ x: { timeout: 2min }, webhook: {} }'];
  for (const component of ['due', 'x']) expect(keyOf(after, component)).not.toBe(keyOf(before, component));
  expect(keyOf(after, 'webhook')).toBe(keyOf(before, 'webhook'));
});

test.each(['discord', 'sms'])(
  'so do they where a key ends, and of packages, of which it is not known here: %s',
  (name) => {
    expect(keyOf(`{ ${name}: { timeout: 2min } }`, 'due')).not.toBe(keyOf(`{ ${name}: { timeout: 10s } }`, 'due'));
  },
);

test('spouts read the limits of accounts, of which they emit no more than may be sent', () => {
  const [before, after] = ['{ x: {}, webhook: {} }', '{ x: { limits: { perAccount: { perDay: 9 } } }, webhook: {} }'];
  for (const component of ['due', 'x']) expect(keyOf(after, component)).not.toBe(keyOf(before, component));
  expect(keyOf(after, 'webhook')).toBe(keyOf(before, 'webhook'));
});

test('another list of packages replaces every worker', () => {
  const settings = testSettings('{ webhook: {} }');
  const running = { packageVersion: '1.0.0', image: null };
  for (const component of ['due', 'webhook']) {
    const before = workerKey({ ...running, settings }, component);
    expect(workerKey({ ...running, settings: { ...settings, channels: ['@acme/sms'] } }, component)).not.toBe(before);
  }
});

test('a new channel replaces the spouts, and another version everything', () => {
  expect(keyOf('{ webhook: {}, mail: {} }', 'due')).not.toBe(keyOf('{ webhook: {} }', 'due'));
  expect(keyOf('{ webhook: {}, mail: {} }', 'webhook')).toBe(keyOf('{ webhook: {} }', 'webhook'));
  for (const one of ['due', 'webhook'])
    expect(keyOf('{ webhook: {} }', one, '1.0.1')).not.toBe(keyOf('{ webhook: {} }', one));
});
