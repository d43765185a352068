import { channelKinds } from '../../connectors/channels/channel-kinds';
import { topologySchema } from '../../topology/settings/topology-schema';
import { StoredAccounts } from '../support/channels/stored-accounts';
import { World } from './world';

const COUNT = 5;

test.each([
  ['the same client id', { clientId: 'client-1' }],
  ['no client id', {}],
])(
  'posts to a server that an account names itself use up nothing of an app, with %s in both credentials',
  async (_, app) => {
    const accounts = new StoredAccounts();
    accounts.set('own', { token: 'token-of-mine', ...app, server: 'https://a.example' });
    accounts.set('usual', { token: 'token-of-the-shop', ...app });
    const world = await new World({
      limits: { perApp: { rates: [{ count: COUNT, windowMs: 60_000 }], gapMs: 0 } },
    }).open();
    const { clock, channel } = world;
    const x = channelKinds.x.build(topologySchema.parse({ components: { x: {} } }).bolts['x'] as never, {
      clock,
      network: { allowPrivateAddresses: true },
      secretsOf: accounts.of,
    });
    channel.appOf = x.appOf as NonNullable<typeof x.appOf>;
    channel.warm = (names) => x.warm(names);
    const own = world.rows(COUNT + 2, 100, { account: 'own' });
    world.emit(...own);
    await world.advance(1_000);
    expect(world.states(own.slice(0, COUNT))).toEqual(['delivered']);
    expect(world.states(own.slice(COUNT))).toEqual(['scheduled']);
    const others = world.rows(COUNT, 100, { account: 'usual' });
    world.emit(...others);
    await world.advance(1_000);
    expect(world.states(others)).toEqual(['delivered']);
    await world.close();
    await x.close();
    expect(world.bugs).toEqual([]);
  },
);
