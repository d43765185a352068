import type { ChannelOptions } from '../../../connectors/channels/channel-kind';
import { channelKinds } from '../../../connectors/channels/channel-kinds';
import { type Clock, systemClock } from '../../../topology/core/clock';
import type { ChannelName } from '../../../topology/payloads/payloads';
import { topologySchema } from '../../../topology/settings/topology-schema';
import { StoredAccounts } from '../../support/channels/stored-accounts';
import { ManualClock } from '../../support/manual-clock';
import { soundAccounts } from './sound-accounts';

/** Fields that name an app. */
const named = { x: 'clientId', linkedin: 'clientId', facebook: 'appId', instagram: 'appId', threads: 'appId' } as const;
type Naming = keyof typeof named;
const SERVER = 'https://a.example';
/** Their own. */
const SERVERS: Readonly<Record<Naming, string>> = {
  x: 'https://api.x.com',
  linkedin: 'https://api.linkedin.com',
  facebook: 'https://graph.facebook.com',
  instagram: 'https://graph.instagram.com',
  threads: 'https://graph.threads.net',
};
const all = Object.keys(named) as Naming[];

function build(name: ChannelName, secretsOf: ChannelOptions['secretsOf'], clock: Clock = systemClock) {
  const settings = topologySchema.parse({ components: { [name]: {} } });
  const network = { allowPrivateAddresses: true };
  return channelKinds[name].build(settings.bolts[name] as never, { clock, network, secretsOf });
}

const fieldsOf = (name: ChannelName) => Object.keys(channelKinds[name].credentials.shape);

test.each(all)('an account of %s counts with the app that its credentials name, once they are known', async (name) => {
  const accounts = new StoredAccounts();
  const field = named[name];
  const { server: _, ...sound } = soundAccounts[name].credentials(SERVER);
  const { clientSecret: __, refreshToken: ___, [field]: id = '', ...unnamed } = sound;
  accounts.set('one', { ...unnamed, [field]: id });
  accounts.set('other', { ...unnamed, [field]: '9876543210' });
  accounts.set('unnamed', unnamed);
  const channel = build(name, accounts.of);
  const apps = () => ['one', 'other', 'unnamed', 'nobody'].map((account) => channel.appOf?.(account));
  expect(apps()).toEqual([undefined, undefined, undefined, undefined]);
  await channel.warm(['one', 'other', 'unnamed', 'nobody']);
  expect(apps()).toEqual([id, '9876543210', undefined, undefined]);
  await channel.close();
});

test.each(all)(
  'an account of %s whose credentials name a server counts with none that goes to the usual one',
  async (name) => {
    const accounts = new StoredAccounts();
    const field = named[name];
    const {
      server: _,
      clientSecret: __,
      refreshToken: ___,
      [field]: id = '',
      ...unnamed
    } = soundAccounts[name].credentials(SERVER);
    const app = { [field]: id };
    const given = {
      one: { ...unnamed, ...app, server: SERVER },
      beside: { ...unnamed, ...app, server: `${SERVER}/` },
      elsewhere: { ...unnamed, ...app, server: 'https://b.example' },
      unnamed: { ...unnamed, server: SERVER },
      usual: { ...unnamed, ...app, server: SERVERS[name] },
    };
    for (const [account, credentials] of Object.entries(given)) accounts.set(account, credentials);
    const channel = build(name, accounts.of);
    await channel.warm(Object.keys(given));
    const [one, beside, elsewhere, without, atUsual] = Object.keys(given).map((account) => channel.appOf?.(account));
    expect(beside).toBe(one);
    expect(new Set([one, elsewhere, without, id, '', undefined]).size).toBe(6);
    expect(atUsual).toBe(id);
    await channel.close();
  },
);

test('its app is the same however long ago its credentials were read, and where they may be used no more', async () => {
  const [accounts, clock] = [new StoredAccounts(), new ManualClock()];
  const { server: _, ...credentials } = soundAccounts.x.credentials(SERVER);
  accounts.set('one', { ...credentials, clientId: 'client-1' });
  const channel = build('x', accounts.of, clock);
  await channel.warm(['one']);
  await clock.advance(3_600_000);
  expect(channel.appOf?.('one')).toBe('client-1');
  accounts.block('one', 'refused');
  await channel.warm(['one']);
  await clock.advance(60_000);
  expect(channel.appOf?.('one')).toBe('client-1');
  channel.refresh?.replaced?.('one');
  expect(channel.appOf?.('one')).toBe('client-1');
  await channel.close();
});

test('credentials of no other channel name an app', () => {
  const names = Object.keys(soundAccounts) as ChannelName[];
  const naming = names.filter((name) => fieldsOf(name).some((field) => /^(?:client|app|consumer)/.test(field)));
  expect(naming.toSorted()).toEqual(all.toSorted());
});
