import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, Socket } from 'node:net';
import type { StoredAccount } from '../../../connectors/channels/account-secrets';
import { channelKinds } from '../../../connectors/channels/channel-kinds';
import type { NetworkSettings } from '../../../connectors/channels/http/network';
import { Media } from '../../../connectors/channels/media/media';
import { WebhookChannel } from '../../../connectors/channels/webhook/webhook';
import { type Clock, systemClock } from '../../../topology/core/clock';
import { BadRecord } from '../../../topology/core/errors';
import { parsePayload } from '../../../topology/payloads/payloads';
import { MediaHost, redirect } from '../../support/channels/media-host';
import { hostileNames, hostileUrls } from './hostile-urls';
import { NameServer } from './http/name-server';
import { Proxy } from './http/proxy';
import { soundAccounts } from './sound-accounts';

let names: NameServer;
let closing: (() => unknown)[];
/** Ports of all connections that were begun from here. */
let dialled: number[];

type Connect = (this: Socket, ...given: unknown[]) => Socket;

beforeEach(async () => {
  names = await NameServer.start();
  for (const [name, known] of Object.entries(hostileNames)) names.names.set(name, known);
  dialled = [];
  const connect = Object.getOwnPropertyDescriptor(Socket.prototype, 'connect')?.value as Connect;
  const spy = jest.spyOn(Socket.prototype, 'connect').mockImplementation(function (this: Socket, ...given: unknown[]) {
    const [first] = given.flat() as [{ readonly port: number | string }];
    dialled.push(Number(first.port));
    return connect.apply(this, given);
  });
  closing = [() => names.close(), () => spy.mockRestore()];
});
afterEach(async () => {
  for (const close of closing.toReversed()) await close();
});

const network = (settings: Partial<NetworkSettings> = {}): NetworkSettings => ({
  allowPrivateAddresses: false,
  resolver: names.address,
  ...settings,
});

/** What people are told who ask why. */
const WHY = /is a private address, or one that the operator excluded|has no address/;

const sent = hostileUrls.filter(([, fate]) => fate !== 'scheduled');
const refused = hostileUrls.filter(([, fate]) => fate === 'scheduled');

const secretsOf = async () => new Map<string, StoredAccount>();
const now = () => systemClock.now();

function webhooks(settings: Partial<NetworkSettings> = {}, clock: Clock = systemClock): WebhookChannel {
  const made = new WebhookChannel({ timeoutMs: 1_000, perOrigin: 1, clock, network: network(settings), secretsOf });
  closing.push(() => made.close());
  return made;
}

/** Each URL is an account's own, because an account has only so many names to ask for. */
function send(through: WebhookChannel, url: string, mayStart = () => true) {
  const [id, dueAt, inDoubt, idempotencyKey] = [1, 0, false, 'k1'] as const;
  const attempt = { id, account: url, dueAt, inDoubt, idempotencyKey, mayStart, now };
  return through.send(through.prepare(url, JSON.stringify({ url })), attempt);
}

test('the table is as long as it says', () => {
  expect(hostileUrls.length).toBeGreaterThan(130);
  expect(new Set(hostileUrls.map(([url]) => url)).size).toBe(hostileUrls.length);
});

test('what can never be asked for is refused when it is scheduled, and when its row was written with plain SQL', () => {
  const through = webhooks();
  const wrong = refused.filter(([url]) => {
    const webhook = parsePayload('webhook', { url });
    const image = parsePayload('mastodon', { text: 'a', media: [{ url }] });
    if (webhook.ok || image.ok) return true;
    const why = /^payload\.(?:media\.0\.)?url: (?:expected|credentials)/;
    return !why.test(webhook.reason) || !why.test(image.reason);
  });
  expect(wrong).toEqual([]);
  for (const [url] of refused) {
    expect(() => through.prepare('shop', JSON.stringify({ url }))).toThrow(BadRecord);
  }
});

test('no webhook is sent to a private address, in whatever form it is given', async () => {
  const through = webhooks();
  const mayStart = jest.fn(() => true);
  const outcomes = sent.map(async ([url, fate]) => {
    expect(parsePayload('webhook', { url })).toMatchObject({ ok: true });
    const outcome = await send(through, url, mayStart);
    expect([url, outcome]).toEqual([url, expect.objectContaining({ kind: fate, reason: expect.stringMatching(WHY) })]);
  });
  await Promise.all(outcomes);
  expect(mayStart).not.toHaveBeenCalled();
  expect(dialled).toEqual([]);
});

function media(settings: Partial<NetworkSettings> = {}, clock: Clock = systemClock): Media {
  const limits = { types: ['image/png'], maxBytes: 1_000 } as const;
  const made = new Media({
    clock,
    network: network(settings),
    folder: undefined,
    limits,
    timeoutMs: 2_000,
    concurrency: 8,
  });
  closing.push(() => made.close());
  return made;
}

const fetched = (from: Media, url: string) => from.with(url, [{ url }], now, async () => ({ kind: 'got' as const }));

test('no image is fetched from a private address, in whatever form it is given', async () => {
  const from = media();
  for (const [url, fate] of sent) {
    const got = await fetched(from, url);
    expect([url, got]).toEqual([url, expect.objectContaining({ kind: fate, reason: expect.stringMatching(WHY) })]);
  }
  expect(dialled).toEqual([]);
});

/** What resolves to an address outside at first, and to one inside from the second question on. */
async function movesInside() {
  let ahead = 0;
  const [clock, host] = [{ ...systemClock, monotonic: () => systemClock.monotonic() + ahead }, await MediaHost.start()];
  const proxy = await Proxy.start(host.port);
  closing.push(
    () => host.close(),
    () => proxy.close(),
  );
  names.names.set('moves.test', (times) => (times === 0 ? ['8.8.8.8'] : ['169.254.169.254']));
  const settings = { proxy: { http: proxy.url, https: proxy.url } };
  const later = () => {
    ahead = 400_000;
  };
  return { clock, settings, host, proxy, later };
}

test('a proxy is not asked for a name that has moved inside since the connection was opened', async () => {
  const { clock, settings, host, proxy, later } = await movesInside();
  const through = webhooks(settings, clock);
  expect(await send(through, 'http://moves.test/cup.png')).toMatchObject({ kind: 'delivered' });
  later();
  const mayStart = jest.fn(() => true);
  const outcome = await send(through, 'http://moves.test/cup.png', mayStart);
  expect(outcome).toMatchObject({ kind: 'retry', reason: expect.stringMatching(WHY) });
  expect(mayStart).not.toHaveBeenCalled();
  expect([host.asked.length, proxy.seen.length]).toEqual([1, 1]);
});

test('a proxy is not asked for an image of a name that has moved inside since', async () => {
  const { clock, settings, host, later } = await movesInside();
  const from = media(settings, clock);
  expect(await fetched(from, 'http://moves.test/cup.png')).toMatchObject({ kind: 'got' });
  later();
  const got = await fetched(from, 'http://moves.test/cup.png');
  expect(got).toMatchObject({ kind: 'retry', reason: expect.stringMatching(WHY) });
  expect(host.asked).toHaveLength(1);
});

test('no redirect leads to a private address, nor through a proxy that would reach it', async () => {
  const host = await MediaHost.start();
  const proxy = await Proxy.start(host.port);
  closing.push(
    () => host.close(),
    () => proxy.close(),
  );
  const from = media({ proxy: { http: proxy.url, https: proxy.url } });
  // Others cannot stand in a header.
  const locations = hostileUrls.map(([url]) => url).filter((url) => /^[\x21-\x7e]+$/.test(url));
  expect(locations.length).toBeGreaterThan(100);
  for (const location of locations) {
    host.on('/out', redirect(location));
    const got = await fetched(from, 'http://good.test/out');
    expect([location, got]).toEqual([
      location,
      expect.objectContaining({
        kind: expect.stringMatching(/^(rejected|retry)$/),
        reason: expect.stringMatching(/./),
      }),
    ]);
  }
  expect(host.asked.filter((path) => path === '/out')).toHaveLength(locations.length);
  const own = [Number(new URL(proxy.url).port), host.port];
  expect(dialled.filter((port) => !own.includes(port))).toEqual([]);
  // What does not resolve here is left to the proxy.
  const asked = new Set(proxy.seen.map((line) => /^(?:GET|CONNECT) (?:\w+:\/\/)?([^/:]+)/.exec(line)?.[1]));
  expect(asked).toEqual(new Set(['good.test', 'nowhere.test']));
});

const kinds = Object.values(channelKinds);
/** Channels whose server is the account's to name. */
const withServers = kinds
  .filter(({ credentials }) => Object.keys(credentials.shape).some((field) => /^(server|instance|host)$/.test(field)))
  .map(({ name }) => name);
const overHttp = withServers.filter((name) => name !== 'email');

test('every channel is in the next tests but webhook, whose messages name their servers', () => {
  expect(['webhook', ...withServers].toSorted()).toEqual(Object.keys(channelKinds).toSorted());
});

test.each(withServers)(
  'an account of %s has no server at a private address, in whatever form it is given',
  async (name) => {
    const { credentials, whoAmI } = channelKinds[name];
    const options = { timeoutMs: 1_000, perOrigin: 1, clock: systemClock, network: network() };
    let asked = 0;
    for (const [url] of hostileUrls) {
      const given = soundAccounts[name].credentials(url.replace(/^http:/i, 'https:'));
      if (!credentials.safeParse(given).success) continue;
      asked += 1;
      const who = await whoAmI?.(JSON.stringify(given), options);
      expect([url, who]).toEqual([url, { kind: 'no', reason: expect.stringMatching(WHY) }]);
    }
    // The rest is refused when it is set.
    expect(asked).toBeGreaterThan(60);
    expect(dialled).toEqual([]);
  },
);

test.each(overHttp)('a server of %s is https and nothing behind it', (name) => {
  const { credentials } = channelKinds[name];
  const isTaken = (server: string) => credentials.safeParse(soundAccounts[name].credentials(server)).success;
  expect(isTaken('https://good.test')).toBe(true);
  for (const more of ['/x', '?x', '#x', ':0', ':65536', '\0', '/\u0085', '..'])
    expect(isTaken(`https://good.test${more}`)).toBe(false);
  for (const server of [
    'http://good.test',
    'https://a@good.test',
    'https://:b@good.test',
    'https://a:b@good.test',
    'ftp://good.test',
  ]) {
    expect(isTaken(server)).toBe(false);
  }
});

test.each(overHttp)('no answer of a server of %s sends its account elsewhere', async (name) => {
  const paths: string[] = [];
  const server = createServer((request, response) => {
    paths.push(request.url ?? '');
    response.writeHead(307, { location: 'http://169.254.169.254/latest/meta-data/' }).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const options = {
    timeoutMs: 1_000,
    perOrigin: 1,
    clock: systemClock,
    network: network({ allowNetworks: ['127.0.0.1'] }),
  };
  const given = JSON.stringify(soundAccounts[name].credentials(`http://127.0.0.1:${port}`));
  const who = await channelKinds[name].whoAmI?.(given, options);
  expect(who).toMatchObject({ kind: 'no', reason: expect.stringContaining('307') });
  expect(paths).toHaveLength(1);
  expect(new Set(dialled)).toEqual(new Set([port]));
});

test('a name that changes its address between two questions is reached at the one that was checked', async () => {
  const host = await MediaHost.start();
  closing.push(() => host.close());
  names.names.set('rebinds.test', (times) => (times === 0 ? ['127.0.0.1'] : ['10.0.0.1']));
  const from = media({ allowNetworks: ['127.0.0.1'] });
  const url = `http://rebinds.test:${host.port}/out`;
  host.on('/out', redirect('/cup.png'));
  expect(await fetched(from, url)).toMatchObject({ kind: 'got' });
  expect(host.asked).toEqual(['/out', '/cup.png']);
  expect(new Set(dialled)).toEqual(new Set([host.port]));
  expect(names.asked).toEqual(['rebinds.test']);
});

test('a name that is first at an address outside and then at one inside is refused once it has moved', async () => {
  let ahead = 0;
  const clock = { ...systemClock, monotonic: () => systemClock.monotonic() + ahead };
  const host = await MediaHost.start();
  closing.push(() => host.close());
  const through = webhooks({ allowNetworks: ['127.0.0.1'] }, clock);
  names.names.set('moves.test', (times) => (times === 0 ? ['127.0.0.1'] : ['169.254.169.254']));
  const url = `http://moves.test:${host.port}/cup.png`;
  expect(await send(through, url)).toMatchObject({ kind: 'delivered' });
  ahead = 400_000;
  expect(await send(through, url)).toMatchObject({ kind: 'retry', reason: expect.stringMatching(WHY) });
  expect(host.asked).toHaveLength(1);
});
