import { channelKinds, channels, classOf, keyLifetimeOf } from '../../../connectors/channels/channel-kinds';
import { payloads } from '../../../topology/payloads/payloads';
import { parseTopologySettings } from '../../../topology/settings/topology-settings';
import { ManualClock } from '../../support/manual-clock';

const build = (yaml: string, faults: readonly string[] = [], components?: readonly string[]) =>
  channels(
    parseTopologySettings(yaml, 'topology.yaml'),
    { clock: new ManualClock(), network: { allowPrivateAddresses: false }, secretsOf: async () => new Map() },
    { kinds: channelKinds, faults },
    components,
  );

test('every channel that can be scheduled for has a kind, and its class can be asked for', () => {
  expect(Object.keys(channelKinds)).toEqual(Object.keys(payloads));
  expect(classOf('webhook')).toBe('idempotent');
  expect(keyLifetimeOf('webhook')).toBeUndefined();
  expect(keyLifetimeOf('mastodon')).toBe(55 * 60_000);
  expect(keyLifetimeOf('discord')).toBe(110_000);
  expect(classOf('telegram')).toBe('blind');
  expect(classOf('email')).toBe('blind');
  expect(classOf('pigeon')).toBeUndefined();
  expect(classOf('constructor')).toBeUndefined();
});

test('only the channels that the topology names are built', async () => {
  expect([...build('components: {due: {}}').keys()]).toEqual([]);
  const built = build('components: {due: {}, webhook: {timeout: 1234}}');
  expect([...built.keys()]).toEqual(['webhook']);
  expect(built.get('webhook')).toMatchObject({ name: 'webhook', class: 'idempotent', acceptedWithin: 1_234 });
  await built.get('webhook')?.close();
});

test('a component that is no channel is named, with the channels that there are', () => {
  const message =
    'topology.yaml: components.webhok: expected due or one of the channels webhook, mastodon, telegram, discord, slack, linkedin, email, bluesky, x, facebook, instagram, threads';
  expect(() => build('components: {webhok: {}, webhook: {}}')).toThrow(message);
});

test('a channel that could not be loaded is left out, except by the process that is to send its messages', async () => {
  const yaml = 'components: {webhook: {}, sms: {}}';
  const fault = '@acme/downspout-sms: this package is not installed here';
  for (const component of ['due', 'webhook']) {
    const built = build(yaml, [fault], [component]);
    expect([...built.keys()]).toEqual(['webhook']);
    await built.get('webhook')?.close();
  }
  expect(() => build(yaml, [fault], ['sms'])).toThrow(
    /components\.sms: expected due or one of .*\n@acme\/downspout-sms: /,
  );
  expect(() => build(yaml, [], ['webhook'])).toThrow('is named under `channels` in the topology.yaml of this machine');
});
