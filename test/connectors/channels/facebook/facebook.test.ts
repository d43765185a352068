import { facebook } from '../../../../connectors/channels/facebook/facebook';
import type { FakeFacebookOptions } from '../../../../deploy/fakes/facebook';
import { systemClock } from '../../../../topology/core/clock';
import { topologySchema } from '../../../../topology/settings/topology-schema';
import { storedAs } from '../../../support/channels/stored-accounts';
import { channelBattery } from '../channel-battery';
import { type FacebookWorld, facebookWorld, openFacebook, PAGE, TOKEN } from './facebook-world';

channelBattery('facebook', facebookWorld);

let world: FacebookWorld;
let opened: FacebookWorld[] = [];

async function start(options: Partial<FakeFacebookOptions> = {}): Promise<void> {
  world = await openFacebook(options);
  opened.push(world);
}

afterEach(async () => {
  jest.restoreAllMocks();
  await Promise.all(opened.map((one) => one.close()));
  opened = [];
});

const now = () => systemClock.now();

describe('a post', () => {
  test('goes out as it was written, and the receipt is its id', async () => {
    await start();
    const text = 'Grüße 👋🏽 <b> & "all"\nnew line';
    expect(await world.send({ text })).toEqual({ kind: 'delivered', status: 200, receipt: `${PAGE}_122000000000000` });
    expect(await world.send({ text: 'b', link: 'https://example.com/a?b=c' })).toMatchObject({ kind: 'delivered' });
    expect(world.protocol.posts()).toMatchObject([
      { page: PAGE, message: text, link: undefined, isPublished: true },
      { message: 'b', link: 'https://example.com/a?b=c' },
    ]);
  });

  test('is asked for at the version of the account, else of the topology, else of the channel', async () => {
    await start();
    await world.send({ text: 'a' });
    world.set('newer', { page: PAGE, token: TOKEN, version: 'v26.0' });
    await world.send({ text: 'b' }, {}, 'newer');
    const settings = topologySchema.parse({ components: { facebook: { apiVersion: 'v24.0' } } });
    const credentials = JSON.stringify({ page: PAGE, token: TOKEN, server: world.server.url });
    const channel = facebook.build(settings.bolts['facebook'] as never, {
      clock: systemClock,
      network: { allowPrivateAddresses: true },
      secretsOf: async () => new Map([['shop', storedAs([credentials])]]),
    });
    const context = { id: 1, account: 'shop', dueAt: now(), inDoubt: false, idempotencyKey: 'key', now };
    await channel.send(channel.prepare('shop', '{"text":"c"}'), { ...context, mayStart: () => true });
    await channel.close();
    const versions = ['v25.0', 'v26.0', 'v24.0'];
    expect(world.server.calls.map(({ path }) => path)).toEqual(versions.map((one) => `/${one}/${PAGE}/feed`));
  });

  test('has the token in a header alone, and so has every question', async () => {
    await start();
    await world.send({ text: 'a' });
    await world.lookUp({ text: 'a' });
    await world.whoAmI({ page: PAGE, token: TOKEN });
    expect(world.server.calls).toHaveLength(3);
    for (const { path, query, body, headers } of world.server.calls) {
      expect([path, query.toString(), body.toString()].join(' ')).not.toContain(TOKEN);
      expect(headers.authorization).toBe(`Bearer ${TOKEN}`);
    }
  });
});

describe('credentials', () => {
  test('can be tried without a post', async () => {
    await start();
    expect(await world.whoAmI({ page: PAGE, token: TOKEN })).toEqual({ kind: 'ok', name: `Page ${PAGE} (${PAGE})` });
    expect(await world.whoAmI({ page: PAGE, token: 'another-token' })).toEqual({
      kind: 'no',
      reason: 'HTTP 401, code 190: Invalid OAuth access token - Cannot parse access token',
    });
    expect(await world.whoAmI({ page: '7', token: TOKEN })).toEqual({
      kind: 'no',
      reason: `the token is of Page ${PAGE} (${PAGE}), not of the page 7`,
    });
    expect(await world.whoAmI({ page: PAGE, token: TOKEN, version: 'v2.0' })).toMatchObject({
      kind: 'no',
      reason: expect.stringContaining('Unknown path components'),
    });
    expect(world.protocol.posts()).toEqual([]);
  });

  test('name a page by its number, and go to no server in clear', () => {
    const given = { page: PAGE, token: TOKEN };
    expect(facebook.credentials.safeParse(given).success).toBe(true);
    expect(facebook.credentials.safeParse({ ...given, version: 'v26.0' }).success).toBe(true);
    for (const wrong of [
      { page: 'acme' },
      { version: '26' },
      { version: 'v26.0/../me' },
      { server: 'http://gateway.example' },
    ]) {
      expect(facebook.credentials.safeParse({ ...given, ...wrong }).success).toBe(false);
    }
  });
});
