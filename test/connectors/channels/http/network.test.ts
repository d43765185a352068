import { once } from 'node:events';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import tls from 'node:tls';
import { HttpCaller } from '../../../../connectors/channels/http/http-caller';
import { Network, type NetworkSettings } from '../../../../connectors/channels/http/network';
import { WebhookChannel } from '../../../../connectors/channels/webhook/webhook';
import { type Clock, systemClock } from '../../../../topology/core/clock';
import { Receiver } from '../../../support/channels/receiver';
import { certificate } from './certificate';
import { NameServer } from './name-server';
import { Proxy } from './proxy';

let names: NameServer;
let receiver: Receiver;
let closing: (() => unknown)[];

beforeEach(async () => {
  [names, receiver] = await Promise.all([NameServer.start(), Receiver.start()]);
  closing = [() => names.close(), () => receiver.close()];
});
afterEach(async () => {
  for (const close of closing.toReversed()) await close();
});

function channel(settings: Partial<NetworkSettings>, clock: Clock = systemClock): WebhookChannel {
  const made = new WebhookChannel({
    timeoutMs: 1_500,
    perOrigin: 1,
    clock,
    network: { allowPrivateAddresses: false, resolver: names.address, ...settings },
    secretsOf: async () => new Map(),
  });
  closing.push(() => made.close());
  return made;
}

function send(through: WebhookChannel, url: string, mayStart = () => true) {
  const prepared = through.prepare('shop', JSON.stringify({ url, body: { n: 1 } }));
  return through.send(prepared, {
    id: 1,
    account: 'shop',
    dueAt: 0,
    inDoubt: false,
    idempotencyKey: 'k1',
    mayStart,
    now: () => systemClock.now(),
  });
}

/** As images are asked for. */
function open(settings: Partial<NetworkSettings>, origin: string) {
  const network = { allowPrivateAddresses: false, resolver: names.address, ...settings };
  const caller = new HttpCaller({ timeoutMs: 1_500, perOrigin: 1, clock: systemClock, network });
  closing.push(() => caller.close());
  const { hostname } = new URL(origin);
  const request = { account: 'shop', origin, hostname, method: 'GET', path: '/', body: null } as const;
  return caller.open(request, [], AbortSignal.timeout(1_500));
}

function proxied(): Network {
  const settings = { allowPrivateAddresses: false, resolver: names.address, proxy: { http: 'http://127.0.0.1:1' } };
  const made = new Network({ settings, clock: systemClock, connectMs: 1_500 });
  closing.push(() => made.close());
  return made;
}

async function proxyTo(port: number): Promise<Proxy> {
  const proxy = await Proxy.start(port);
  closing.push(() => proxy.close());
  return proxy;
}

/** @returns the port of a server that is believed to be `secure.test`, or below it */
async function secureServer(status: number | 'silent' = 200): Promise<number> {
  const secure = createSecureServer(certificate, (_, response) => {
    if (status !== 'silent') response.writeHead(status).end('taken');
  });
  secure.listen(0, '127.0.0.1');
  await once(secure, 'listening');
  closing.push(() => {
    secure.closeAllConnections();
    secure.close();
  });
  const { connect } = tls;
  const trusting = jest
    .spyOn(tls, 'connect')
    .mockImplementation(((options: tls.ConnectionOptions) =>
      connect({ ...options, ca: certificate.cert })) as typeof connect);
  closing.push(() => trusting.mockRestore());
  return (secure.address() as AddressInfo).port;
}

test('an address is checked when it is connected to: a name that changes its mind gains nothing', async () => {
  let now = 0;
  const settings = { allowPrivateAddresses: false, allowNetworks: ['127.0.0.0/8'], resolver: names.address };
  const clock = { ...systemClock, monotonic: () => now };
  const network = new Network({ settings, clock, connectMs: 1_000 });
  closing.push(() => network.close());
  names.names.set('a.test', ['127.0.0.1']);
  expect(await network.prepare('a.test', 'shop', false)).toBe('reachable');
  names.names.set('a.test', ['10.0.0.1']);
  now = 400_000;
  const connected = new Promise((resolve) => {
    const options = { protocol: 'http:', hostname: 'a.test', port: String(receiver.port), host: 'a.test' };
    network.connect(options, (...[error]) => resolve(error));
  });
  expect(await connected).toMatchObject({ name: 'AddressRefused' });
  expect(receiver.connections).toBe(0);
});

test('a connection waits for no name but its own, however many names nobody answers for', async () => {
  const settings = { allowPrivateAddresses: true, resolver: names.address };
  const network = new Network({ settings, clock: systemClock, connectMs: 1_000 });
  closing.push(() => network.close());
  names.names.set('good.test', ['127.0.0.1']);
  const connected = (hostname: string) =>
    new Promise<Error | null>((resolve) => {
      const target = { protocol: 'http:', hostname, port: String(receiver.port), host: hostname };
      network.connect(target, (...[error, socket]) => {
        socket?.destroy();
        resolve(error);
      });
    });
  const dead = Array.from({ length: 40 }, (_, n) => connected(`dead${n}.test`));
  expect(await connected('good.test')).toBeNull();
  expect(await Promise.all(dead)).not.toContain(null);
});

test('a name with a dot at its end is given to TLS without it', async () => {
  const port = await secureServer();
  names.names.set('secure.test', ['127.0.0.1']);
  const through = channel({ allowPrivateAddresses: true });
  expect(await send(through, `https://secure.test.:${port}/hook`)).toMatchObject({ receipt: 'taken' });
  expect(jest.mocked(tls.connect).mock.lastCall?.[0]).toMatchObject({ servername: 'secure.test' });
});

describe('through a proxy', () => {
  test('requests to http:// go with their whole URL, to names that resolve here and to others', async () => {
    const proxy = await proxyTo(receiver.port);
    const through = channel({ proxy: { http: proxy.url.replace('://', '://us%20er:hush@') } });
    names.names.set('known.test', ['8.8.8.8']);
    names.names.set('unknown.test', []);
    for (const host of ['known.test', 'unknown.test', 'silent.test']) {
      expect(await send(through, `http://${host}/hook?a=b`)).toMatchObject({ kind: 'delivered' });
    }
    expect(proxy.seen).toEqual([
      'POST http://known.test/hook?a=b',
      'POST http://unknown.test/hook?a=b',
      'POST http://silent.test/hook?a=b',
    ]);
    expect(new Set(proxy.credentials)).toEqual(new Set([`Basic ${Buffer.from('us er:hush').toString('base64')}`]));
    expect(receiver.journal[0]).toMatchObject({ path: '/hook?a=b', body: '{"n":1}' });
  });

  test.each(['http', 'https'])(
    'a %% in its credentials that begins no escape stands for itself: %s://',
    async (scheme) => {
      const proxy = await proxyTo(scheme === 'http' ? receiver.port : await secureServer());
      const through = channel({ proxy: { [scheme]: proxy.url.replace('://', '://100%:100%off%@') } });
      names.names.set('known.test', ['8.8.8.8']);
      await send(through, `${scheme}://known.test/`);
      expect(proxy.credentials[0]).toBe(`Basic ${Buffer.from('100%:100%off%').toString('base64')}`);
    },
  );

  test('requests to https:// go through a tunnel, and mayStart is asked when it stands', async () => {
    const proxy = await proxyTo(await secureServer());
    const through = channel({ proxy: { https: proxy.url } });
    const seen: string[][] = [];
    const mayStart = () => {
      seen.push([...proxy.seen]);
      return true;
    };
    for (let n = 0; n < 2; n++) {
      expect(await send(through, 'https://secure.test/hook', mayStart)).toMatchObject({ receipt: 'taken' });
    }
    // One tunnel for both requests.
    expect(seen).toEqual([['CONNECT secure.test:443'], ['CONNECT secure.test:443']]);
    expect(proxy.seen).toHaveLength(1);
    expect(await send(through, 'https://other.test/', mayStart)).toMatchObject({
      kind: 'retry',
      reason: expect.stringContaining('secure.test'),
    });
    expect(seen).toHaveLength(2);
  });

  test('inside a tunnel only the receiver asks for credentials, so that is no reason to send later', async () => {
    const proxy = await proxyTo(await secureServer(407));
    const settings = { proxy: { https: proxy.url } };
    expect(await send(channel(settings), 'https://secure.test/')).toMatchObject({ kind: 'rejected', status: 407 });
    const opened = await open(settings, 'https://secure.test');
    expect(opened).toMatchObject({ kind: 'open', status: 407 });
    if (opened !== 'not_started' && opened.kind === 'open') opened.body.on('error', () => undefined).destroy();
  });

  test('a name is judged at each request, over a tunnel that is open too', async () => {
    let ahead = 0;
    const clock = { ...systemClock, monotonic: () => systemClock.monotonic() + ahead };
    const proxy = await proxyTo(await secureServer());
    const through = channel({ proxy: { https: proxy.url } }, clock);
    names.names.set('secure.test', (times) => (times === 0 ? ['8.8.8.8'] : ['10.1.2.3']));
    expect(await send(through, 'https://secure.test/')).toMatchObject({ kind: 'delivered' });
    ahead = 400_000;
    expect(await send(through, 'https://secure.test/')).toMatchObject({
      kind: 'retry',
      reason: expect.stringContaining('private'),
    });
    expect(proxy.seen).toHaveLength(1);
  });

  test('through a proxy, literal private addresses stay refused, and so does a name that resolves to one here', async () => {
    const proxy = await proxyTo(receiver.port);
    const through = channel({ proxy: { http: proxy.url, https: proxy.url } });
    names.names.set('inside.test', ['10.1.2.3']);
    // The proxy would choose.
    names.names.set('both.test', ['8.8.8.8', '10.1.2.3']);
    for (const url of ['http://169.254.169.254/', 'https://10.1.2.3/', 'http://[fd00::1]/', 'http://localhost:1/']) {
      expect(await send(through, url)).toMatchObject({ kind: 'rejected' });
    }
    for (const url of ['https://inside.test/', 'http://both.test/']) {
      expect(await send(through, url)).toMatchObject({ kind: 'retry' });
    }
    expect(proxy.seen).toEqual([]);
  });

  describe('both families of a name are judged', () => {
    test('a private address of IPv6 that is answered later than a public one of IPv4', async () => {
      names.names.set('both.test', ['8.8.8.8', 'fd00:ec2::254']);
      names.names.set('other.test', ['8.8.8.8']);
      names.held.set('both.test', 6);
      // No timer ends earlier than the answers come, but for one that waits for the second family for a moment only.
      const clock = {
        ...systemClock,
        after: (ms: number, action: () => void) => systemClock.after(ms < 100 ? 0 : 60_000, action),
      };
      const settings = { allowPrivateAddresses: false, resolver: names.address };
      const through = new Network({ settings, clock, connectMs: 1_500 });
      closing.push(() => through.close());
      const reach = through.prepare('both.test', 'shop', true);
      await names.until(() => names.heldOf('both.test') > 0);
      // By now the answer of the first family has come.
      expect(await through.prepare('other.test', 'shop', true)).toBe('reachable');
      names.release('both.test');
      expect(await reach).toBe('refused_for_now');
    });

    test('all that is known of a name is told: a family for which nobody answers hides nothing of the other one', async () => {
      names.names.set('four.test', ['10.1.2.3', 'fd00::1']);
      names.names.set('six.test', ['10.1.2.3', 'fd00::1']);
      names.names.set('public.test', ['8.8.8.8', '2a00:1450::1']);
      names.held.set('four.test', 6).set('six.test', 4).set('public.test', 6);
      const through = proxied();
      const reached = ['four.test', 'six.test', 'public.test'].map((name) => through.prepare(name, 'shop', true));
      // What is not known is left to the proxy.
      expect(await Promise.all(reached)).toEqual(['refused_for_now', 'refused_for_now', 'reachable']);
    });

    test('what was answered too late for one request is judged at the next', async () => {
      names.names.set('slow.test', ['10.1.2.3']);
      names.held.set('slow.test', 4);
      const through = proxied();
      expect(await through.prepare('slow.test', 'shop', true)).toBe('reachable');
      names.release('slow.test');
      expect(await through.prepare('slow.test', 'shop', true)).toBe('refused_for_now');
    });
  });

  test('hosts of NO_PROXY are reached directly', async () => {
    const proxy = await proxyTo(1);
    names.names.set('direct.test', ['127.0.0.1']);
    const through = channel({ allowPrivateAddresses: true, proxy: { http: proxy.url, no: '.direct.test' } });
    expect(await send(through, `http://direct.test:${receiver.port}/`)).toMatchObject({ kind: 'delivered' });
    expect(proxy.seen).toEqual([]);
  });

  test('a proxy that is away or wants other credentials says nothing about the host', async () => {
    const gone = await Proxy.start(1);
    const goneUrl = gone.url;
    await gone.close();
    const asking = await proxyTo(receiver.port);
    asking.refusal = 407;
    const mayStart = jest.fn(() => true);
    for (const proxy of [goneUrl, asking.url]) {
      const outcome = await send(channel({ proxy: { https: proxy } }), 'https://secure.test/', mayStart);
      expect(outcome).toMatchObject({ kind: 'postponed', reason: expect.stringContaining('proxy 127.0.0.1') });
    }
    expect(await send(channel({ proxy: { http: goneUrl } }), 'http://plain.test/', mayStart)).toMatchObject({
      kind: 'postponed',
    });
    expect(mayStart).not.toHaveBeenCalled();
  });

  test('interim answers of a proxy before a tunnel change nothing', async () => {
    const proxy = await proxyTo(await secureServer());
    proxy.interim = 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 x\r\na: b\r\n\r\n';
    expect(await send(channel({ proxy: { https: proxy.url } }), 'https://secure.test/')).toMatchObject({
      kind: 'delivered',
    });
  });

  test('a proxy that does not reach the host, or may not, is a reason to try again', async () => {
    const proxy = await proxyTo(receiver.port);
    const through = channel({ proxy: { https: proxy.url } });
    for (const status of [403, 502, 503]) {
      proxy.refusal = status;
      expect(await send(through, 'https://secure.test/')).toEqual({
        kind: 'retry',
        reason: `https://secure.test: proxy ${new URL(proxy.url).host}: HTTP ${status} to CONNECT secure.test:443`,
      });
    }
  });

  test('a request that waited for a connection which was refused ends when the channel is closed', async () => {
    const proxy = await proxyTo(await secureServer('silent'));
    Object.defineProperty(proxy, 'refusal', { get: () => (proxy.seen.length === 1 ? 502 : undefined) });
    names.names.set('secure.test', ['8.8.8.8']);
    const through = channel({ proxy: { https: proxy.url } });
    const refused = send(through, 'https://secure.test/');
    let waiting: ReturnType<typeof send> | undefined;
    await new Promise<void>((written) => {
      waiting = send(through, 'https://secure.test/', () => {
        written();
        return true;
      });
    });
    expect(await refused).toMatchObject({ kind: 'retry', reason: expect.stringContaining('HTTP 502') });
    await through.close();
    expect(await waiting).toMatchObject({ kind: 'unknown' });
  });

  test.each([
    ['nothing', ''],
    ['interim answers without end', 'HTTP/1.1 103 x\r\n\r\n'],
  ])(
    'whoever asks for a connection is answered in time: a proxy that says %s waits for the host, and nothing is kept for it',
    async (_, interim) => {
      const proxy = await proxyTo(await secureServer());
      Object.assign(proxy, { isSilent: true, interim });
      names.names.set('secure.test', ['8.8.8.8']);
      const through = channel({ proxy: { https: proxy.url } });
      const mayStart = jest.fn(() => true);
      expect(await send(through, 'https://secure.test/', mayStart)).toEqual({
        kind: 'retry',
        reason: `https://secure.test: proxy ${new URL(proxy.url).host}: no answer to CONNECT secure.test:443`,
        unreachable: true,
      });
      expect(mayStart).not.toHaveBeenCalled();
      expect(proxy.left).toHaveLength(1);
      await Promise.all(proxy.left);
      Object.assign(proxy, { isSilent: false, interim: '' });
      // The only connection that the origin may have is free again.
      expect(await send(through, 'https://secure.test/')).toMatchObject({ kind: 'delivered' });
    },
  );

  test('a proxy that asks for credentials for a request to http:// has sent nothing', async () => {
    const proxy = await proxyTo(receiver.port);
    proxy.refusal = 407;
    const postponed = { kind: 'postponed', reason: 'http://plain.test: the proxy asks for credentials (HTTP 407)' };
    expect(await send(channel({ proxy: { http: proxy.url } }), 'http://plain.test/')).toMatchObject(postponed);
    // What is left of such an answer ends no worker.
    expect(await open({ proxy: { http: proxy.url } }, 'http://plain.test')).toEqual(postponed);
    await turn();
  });
});
