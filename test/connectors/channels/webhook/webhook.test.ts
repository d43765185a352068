import { once } from 'node:events';
import { type AddressInfo, createServer, Socket } from 'node:net';
import { Webhook } from 'standardwebhooks';
import { WebhookChannel, type WebhookOptions } from '../../../../connectors/channels/webhook/webhook';
import { systemClock } from '../../../../topology/core/clock';
import { Unavailable } from '../../../../topology/core/errors';
import { Receiver } from '../../../support/channels/receiver';
import { storedAs } from '../../../support/channels/stored-accounts';
import { channelBattery } from '../channel-battery';
import { NameServer } from '../http/name-server';
import { webhookWorld } from './webhook-world';

channelBattery('WebhookChannel', webhookWorld);

const SECRET = `whsec_${Buffer.from('a secret of twenty-four!').toString('base64')}`;

let receiver: Receiver;
let opened: WebhookChannel[];
let raw: { close(): Promise<unknown> }[];

beforeEach(async () => {
  receiver = await Receiver.start();
  opened = [];
  raw = [];
});
afterEach(async () => {
  await Promise.all(opened.map((one) => one.close()));
  await Promise.all(raw.map((one) => one.close()));
  await receiver.close();
});

function channel(options: Partial<WebhookOptions> = {}): WebhookChannel {
  const made = new WebhookChannel({
    timeoutMs: 5_000,
    perOrigin: 4,
    clock: systemClock,
    network: { allowPrivateAddresses: true },
    secretsOf: async () => new Map(),
    ...options,
  });
  opened.push(made);
  return made;
}

interface Sending {
  readonly account?: string;
  readonly key?: string;
  readonly payload?: Record<string, unknown>;
  readonly mayStart?: () => boolean;
}

function send(through: WebhookChannel, path: string, sending: Sending = {}) {
  const url = path.startsWith('http') ? path : receiver.url + path;
  const account = sending.account ?? 'shop';
  const prepared = through.prepare(account, JSON.stringify({ url, body: { n: 1 }, ...sending.payload }));
  return through.send(prepared, {
    id: 1,
    account,
    dueAt: 0,
    inDoubt: false,
    idempotencyKey: sending.key ?? 'msg_1',
    mayStart: sending.mayStart ?? (() => true),
    now: () => systemClock.now(),
  });
}

/** A server that does with a connection whatever it is told; its address. */
async function rawServer(onConnection: (socket: Socket) => void) {
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((socket) => {
    connections++;
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    onConnection(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = () => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  };
  const { port } = server.address() as AddressInfo;
  const made = { url: `http://127.0.0.1:${port}`, connections: () => connections, close };
  raw.push(made);
  return made;
}

/** A head of nearly 16 KiB, which a final answer may have too. */
const longContinue = [
  'HTTP/1.1 100 Continue\r\n',
  ...Array.from({ length: 15 }, (_, n) => `x-a${n}: ${'b'.repeat(1_000)}\r\n`),
  '\r\n',
];

describe('the status decides the outcome:', () => {
  test.each([200, 201, 204, 299])('%i is delivered', async (status) => {
    expect(await send(channel(), `/?status=${status}`)).toMatchObject({ kind: 'delivered', status });
  });

  test.each([408, 425, 429])('%i was not accepted, and is tried again', async (status) => {
    const outcome = await send(channel(), `/?status=${status}&text=busy`);
    expect(outcome).toEqual({ kind: 'retry', status, reason: `HTTP ${status}: busy` });
  });

  test.each([409, 500, 502, 503, 504, 599])('%i does not rule out that the message was accepted', async (status) => {
    const outcome = await send(channel(), `/?status=${status}&text=busy`);
    expect(outcome).toEqual({ kind: 'unknown', status, reason: `HTTP ${status}: busy` });
  });

  test.each([400, 401, 404, 410, 422, 451])('%i is rejected', async (status) => {
    const outcome = await send(channel(), `/?status=${status}&text=${encodeURIComponent('no\nsuch\tthing')}`);
    expect(outcome).toEqual({ kind: 'rejected', status, reason: `HTTP ${status}: no such thing` });
  });

  test.each([301, 304, 307, 308])('%i is rejected and not followed', async (status) => {
    const outcome = await send(channel(), `/?status=${status}&location=/else`);
    expect(outcome).toEqual({
      kind: 'rejected',
      status,
      reason: `HTTP ${status} to /else: redirects are not followed`,
    });
    expect(receiver.journal).toHaveLength(1);
  });

  test.each([302, 303])(
    '%i may answer a message that was taken: it is not followed, and a person decides',
    async (status) => {
      const outcome = await send(channel(), `/?status=${status}&location=/else`);
      expect(outcome).toEqual({
        kind: 'unknown',
        status,
        reason:
          `HTTP ${status} to /else: redirects are not followed, and this one may answer a message that was taken. ` +
          'Ask the receiver, then use `downspout messages resolve` with --delivered or --retry',
        isFinal: true,
      });
      expect(receiver.journal).toHaveLength(1);
    },
  );

  test('Retry-After in seconds is honoured', async () => {
    expect(await send(channel(), '/?status=429&retry-after=7')).toMatchObject({ kind: 'retry', afterMs: 7_000 });
  });

  test('Retry-After as a date is honoured', async () => {
    const date = new Date(systemClock.now() + 60_000).toUTCString();
    const outcome = await send(channel(), `/?status=503&retry-after=${encodeURIComponent(date)}`);
    const after = (outcome as { afterMs: number }).afterMs;
    expect(after).toBeGreaterThan(50_000);
    expect(after).toBeLessThanOrEqual(60_000);
  });

  test.each([500, 502, 504, 409])('Retry-After of a %i is honoured, and leaves the doubt', async (status) => {
    const outcome = await send(channel(), `/?status=${status}&retry-after=7`);
    expect(outcome).toMatchObject({ kind: 'unknown', afterMs: 7_000 });
  });

  test.each([503, 429])(
    'Retry-After of a %i that nobody understands does not say how long, and leaves no doubt',
    async (status) => {
      expect(await send(channel(), `/?status=${status}&retry-after=soon`)).toEqual({
        kind: 'retry',
        status,
        reason: `HTTP ${status}`,
      });
    },
  );

  test('of two Retry-After the longer one is honoured, in whichever order', async () => {
    for (const waits of [
      ['7', '30'],
      ['30', '7'],
    ]) {
      const lines = waits.map((wait) => `retry-after: ${wait}\r\n`).join('');
      const busy = await rawServer((socket) => {
        socket.on('data', () => socket.write(`HTTP/1.1 503 busy\r\n${lines}content-length: 0\r\n\r\n`));
      });
      expect(await send(channel(), busy.url)).toMatchObject({ kind: 'retry', afterMs: 30_000 });
      await busy.close();
    }
  });

  test('the receipt is the header, or else the body', async () => {
    const through = channel();
    expect(await send(through, '/?receipt=r-1&text=body')).toMatchObject({ receipt: 'r-1' });
    expect(await send(through, `/?text=${'b'.repeat(300)}`)).toMatchObject({ receipt: 'b'.repeat(100) });
    expect(await send(through, '/')).toEqual({ kind: 'delivered', status: 200 });
  });

  test('a credential that is echoed does not reach the error text', async () => {
    const outcome = await send(channel(), '/?status=401&text=bad+token+s3cr3t-token!', {
      payload: { headers: { authorization: 'Bearer s3cr3t-token' } },
    });
    expect(outcome).toMatchObject({ reason: 'HTTP 401: bad token …!' });
  });

  test.each([
    ['100 Continue', ['HTTP/1.1 100 Continue\r\n\r\n']],
    ['100 Continue with headers, in pieces', ['HTTP/1', '.1 100 Continue\r\nx-a: b\r', '\n\r', '\n']],
    ['100 Continue, twice', ['HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n']],
    [
      '103 Early Hints and 102 Processing',
      ['HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n', 'HTTP/1.1 102 x\r\n\r\n'],
    ],
    ['103 Early Hints and then 100 Continue', ['HTTP/1.1 103 x\r\nlink: </a>\r\n\r\nHTTP/1.1 100 x\r\n\r\n']],
    [
      '102, 100, 103 and 100 again, in pieces',
      ['HTTP/1.1 102 x\r\n\r\nHTTP/1.1 1', '00 x\r\n\r\nHTTP/1.1 103 x\r\n', '\r\nHTTP/1.1 100\r\n\r', '\n'],
    ],
    ['100 Continue with a head as long as may be, in pieces', longContinue],
    ['103 Early Hints that closes the connection', ['HTTP/1.1 103 x\r\nconnection: close\r\n\r\n']],
    ['104 with a length', ['HTTP/1.1 104 x\r\ncontent-length: 50\r\n\r\n']],
    ['100 Continue of HTTP/1.0 between empty lines', ['\r\nHTTP/1.0 100 x\r\n\r\n', '\r\n\r\n']],
  ])('%s before it, which nobody asked for, changes nothing', async (_, pieces) => {
    const early = await rawServer((socket) => {
      socket.on('data', () => {
        const all = [...pieces, 'HTTP/1.1 200 OK\r\ncontent-length: 24\r\n\r\n', 'HTTP/1.1 100 is the text'];
        void all.reduce(
          (before, piece) =>
            before.then(() => new Promise<void>((done) => setImmediate(() => socket.write(piece, () => done())))),
          Promise.resolve(),
        );
      });
    });
    const through = channel({ perOrigin: 1 });
    for (let n = 0; n < 3; n++) {
      expect(await send(through, early.url)).toEqual({
        kind: 'delivered',
        status: 200,
        receipt: 'HTTP/1.1 100 is the text',
      });
    }
    expect(early.connections()).toBe(1);
    await early.close();
  });

  test('an interim answer with a head without end is no answer, and ends its connection', async () => {
    const endless = await rawServer((socket) => {
      socket.on('data', () => socket.write(`HTTP/1.1 103 x\r\n${'x-a: b\r\n'.repeat(40_000)}`));
    });
    expect(await send(channel({ timeoutMs: 4_000 }), endless.url)).toMatchObject({
      kind: 'unknown',
      reason: expect.stringContaining('an answer has a head that is too long'),
    });
    await endless.close();
  });

  const unreadable: [string, string][] = [
    ['whose head is far too long', `x-a: ${'b'.repeat(1_000)}\r\n`.repeat(200)],
    ['whose head has very many lines', 'a:\r\n'.repeat(100_000)],
    ['whose lines end with LF alone', 'x-a: b\ncontent-length: 2\n\n'],
    ['with two lengths', 'content-length: 2\r\ncontent-length: 2\r\n'],
    ['with a list of lengths', 'content-length: 2, 2\r\n'],
    ['with an empty length', 'content-length:\r\n'],
    ['with a length that is none', 'content-length: two\r\n'],
    ['with a length beside chunks', 'transfer-encoding: chunked\r\ncontent-length: 2\r\n'],
    ['with a blank before a colon', 'x-a : b\r\n'],
    ['with a line without a colon', 'x-a\r\n'],
    ['with a control character in a value', 'x-a: \u0001\r\n'],
  ];
  test.each(
    unreadable.flatMap(([name, lines]) => [
      [name, 'HTTP/1.1 200 OK\r\n', lines, { kind: 'delivered', status: 200 }] as const,
      [name, 'HTTP/1.1 500 x\r\n', lines, { kind: 'unknown', reason: expect.stringContaining('no usable') }] as const,
    ]),
  )('an answer %s, of which nothing but the first line can be read: %j', async (_, line, lines, expected) => {
    const odd = await rawServer((socket) => socket.on('data', () => socket.write(`${line}${lines}\r\nok`)));
    const outcome = await send(channel(), odd.url);
    expect(outcome).toMatchObject(expected);
    expect(outcome).not.toHaveProperty('receipt');
    await odd.close();
  });

  test.each([
    'HTTP/2 200\r\ncontent-length: 2\r\n\r\nok',
    'HTTP/1.1 204 No Content\r\nset-cookie: cut',
    'HTTP/1.1 100 x\r\n\r\nHTTP/1.1 202\nx: y\n\n',
  ])('%j and the end of the connection is delivered', async (answer) => {
    const odd = await rawServer((socket) => socket.on('data', () => socket.end(answer)));
    expect(await send(channel(), odd.url)).toMatchObject({ kind: 'delivered' });
    await odd.close();
  });

  test('an answer with more cookies than most servers send is read whole', async () => {
    const cookies = Array.from({ length: 60 }, (_, n) => `set-cookie: c${n}=${'x'.repeat(1_000)}\r\n`).join('');
    const baker = await rawServer((socket) => {
      socket.on('data', () => socket.write(`HTTP/1.1 200 OK\r\n${cookies}content-length: 2\r\n\r\nok`));
    });
    expect(await send(channel(), baker.url)).toEqual({ kind: 'delivered', status: 200, receipt: 'ok' });
    await baker.close();
  });

  test('the answer to one request is none to the next one on the same connection', async () => {
    let requests = 0;
    const odd = await rawServer((socket) => {
      socket.on('data', () => {
        if (requests++ === 0) socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
        else socket.resetAndDestroy();
      });
    });
    const through = channel({ perOrigin: 1 });
    expect(await send(through, odd.url)).toMatchObject({ kind: 'delivered' });
    expect(await send(through, odd.url)).toMatchObject({ kind: 'unknown' });
    expect([requests, odd.connections()]).toEqual([2, 1]);
    await odd.close();
  });

  test('100 Continue and then nothing is no answer', async () => {
    const stuck = await rawServer((socket) => socket.on('data', () => socket.write('HTTP/1.1 100 Continue\r\n\r\n')));
    expect(await send(channel({ timeoutMs: 300 }), stuck.url)).toMatchObject({
      kind: 'unknown',
      reason: expect.stringContaining('no answer within'),
    });
    await stuck.close();
  });

  test('a body that never finishes is not waited for', async () => {
    const through = channel({ timeoutMs: 4_000 });
    expect(await send(through, '/?body=endless')).toMatchObject({ kind: 'delivered', receipt: 'begun' });
    await receiver.until(() => receiver.closedConnections === 1);
  });

  test('a body that breaks off does not change the status', async () => {
    expect(await send(channel(), '/?status=200&body=cut')).toMatchObject({ kind: 'delivered' });
    expect(await send(channel(), '/?status=400&body=cut')).toMatchObject({ kind: 'rejected' });
  });

  test('a body of a gigabyte is given up after its beginning', async () => {
    expect(await send(channel(), '/?body=huge')).toMatchObject({ kind: 'delivered' });
    await receiver.until(() => receiver.closedConnections === 1);
    expect(receiver.bodyBytes).toBeLessThan(32 * 1024 ** 2);
  });
});

describe('a request that was not written whole is tried again; one that was and is not answered is unknown', () => {
  test('a name that does not exist', async () => {
    const outcome = await send(channel({ timeoutMs: 3_000 }), 'http://does-not-exist.invalid/');
    const reason = expect.stringContaining('does-not-exist.invalid');
    expect(outcome).toMatchObject({ kind: 'retry', reason, unreachable: true });
  });

  test('a connection that is refused', async () => {
    const gone = await rawServer(() => undefined);
    await gone.close();
    expect(await send(channel(), gone.url)).toMatchObject({
      kind: 'retry',
      reason: expect.stringContaining('ECONNREFUSED'),
      unreachable: true,
    });
  });

  test('no free connection within the time-out', async () => {
    const through = channel({ timeoutMs: 300, perOrigin: 1 });
    const first = send(through, '/?hang=yes', { key: 'a' });
    const started = jest.fn(() => true);
    const second = send(through, '/', { key: 'b', mayStart: started });
    // Others are connected, so the origin is not down.
    expect(await second).toEqual({ kind: 'retry', reason: `${receiver.url}: no connection within 300 ms` });
    expect(await first).toMatchObject({ kind: 'unknown', reason: expect.stringContaining('no answer within 300 ms') });
    expect(started).not.toHaveBeenCalled();
  });

  test('no status within the time-out', async () => {
    const before = systemClock.monotonic();
    expect(await send(channel({ timeoutMs: 200 }), '/?hang=yes')).toMatchObject({ kind: 'unknown' });
    const took = systemClock.monotonic() - before;
    expect(took).toBeGreaterThanOrEqual(199);
    expect(took).toBeLessThan(1_000);
    await receiver.until(() => receiver.closedConnections === 1);
  });

  test('a status line that drips', async () => {
    const dripping = await rawServer((socket) => {
      socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\nx-slow: '));
    });
    expect(await send(channel({ timeoutMs: 200 }), dripping.url)).toMatchObject({ kind: 'unknown' });
    await dripping.close();
  });

  test('a connection that is cut after the request, taken or not', async () => {
    expect(await send(channel(), '/?drop=yes&accept=yes')).toMatchObject({ kind: 'unknown' });
    expect(receiver.accepted).toHaveLength(1);
    expect(receiver.journal).toHaveLength(1);
  });

  test('an answer that is not HTTP', async () => {
    const odd = await rawServer((socket) => {
      socket.on('data', () => socket.end('SSH-2.0-OpenSSH_9.2\r\n'));
    });
    expect(await send(channel(), odd.url)).toMatchObject({ kind: 'unknown' });
    await odd.close();
  });

  test('a connection that the server closed while it was idle is not written to', async () => {
    let connections = 0;
    const closing = await rawServer((socket) => {
      connections++;
      socket.on('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'));
    });
    const through = channel({ perOrigin: 1 });
    for (let n = 1; n <= 5; n++) expect(await send(through, closing.url)).toMatchObject({ kind: 'delivered' });
    expect(connections).toBe(5);
    await closing.close();
  });

  test('the channel is closed while a request is out', async () => {
    const through = channel();
    const hanging = send(through, '/?hang=yes');
    await receiver.until(() => receiver.journal.length === 1);
    await through.close();
    expect(await hanging).toMatchObject({ kind: 'unknown' });
    expect(await send(through, '/')).toBe('not_started');
  });
});

test('a channel that is closed while a request is out takes no answer of another connection for its own', async () => {
  let slow: (() => void) | undefined;
  const isThere = new Promise<void>((resolve) => {
    slow = resolve;
  });
  const odd = await rawServer((socket) => {
    socket.on('data', (sent) => {
      if (sent.includes('quick')) socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
      else slow?.();
    });
  });
  const through = channel({ perOrigin: 2 });
  const hanging = send(through, odd.url, { key: 'slow' });
  await isThere;
  expect(await send(through, odd.url, { key: 'quick' })).toMatchObject({ kind: 'delivered' });
  await through.close();
  expect(await hanging).toMatchObject({ kind: 'unknown' });
});

describe('mayStart is asked in the tick of the write:', () => {
  test('says no: nothing is written, and the connection stays usable', async () => {
    const through = channel({ perOrigin: 1 });
    await send(through, '/', { key: 'first' });
    expect(await send(through, '/', { key: 'second', mayStart: () => false })).toBe('not_started');
    expect(await send(through, '/', { key: 'third' })).toMatchObject({ kind: 'delivered' });
    expect(receiver.journal.map(({ key }) => key)).toEqual(['first', 'third']);
    expect(receiver.connections).toBe(1);
  });

  test('once, on a new connection and on a used one', async () => {
    const through = channel({ perOrigin: 1 });
    const write = jest.spyOn(Socket.prototype, 'write');
    for (const key of ['new connection', 'used connection']) {
      write.mockClear();
      const tickOver = jest.fn();
      const mayStart = jest.fn(() => {
        queueMicrotask(tickOver);
        return true;
      });
      await send(through, '/', { key, mayStart });
      const posted = write.mock.calls.findIndex(([text]) => String(text).startsWith('POST'));
      const order = [
        mayStart.mock,
        { invocationCallOrder: write.mock.invocationCallOrder.slice(posted) },
        tickOver.mock,
      ];
      const places = order.map(({ invocationCallOrder }) => invocationCallOrder[0] as number);
      expect(places).toEqual(places.toSorted((a, b) => a - b));
      expect(mayStart).toHaveBeenCalledTimes(1);
    }
    write.mockRestore();
  });

  test('is not asked while the request waits for a connection', async () => {
    const through = channel({ perOrigin: 1 });
    const mayStart = jest.fn(() => true);
    const slow = send(through, '/?delay=50', { key: 'slow' });
    const waiting = send(through, '/', { key: 'waiting', mayStart });
    await receiver.until(() => receiver.journal.length === 1);
    expect(mayStart).not.toHaveBeenCalled();
    await Promise.all([slow, waiting]);
    expect(mayStart).toHaveBeenCalledTimes(1);
  });
});

describe('private addresses are refused, unless they are allowed:', () => {
  test('are reached when they are allowed, by name and by address', async () => {
    const through = channel();
    expect(await send(through, `http://localhost:${receiver.port}/`)).toMatchObject({ kind: 'delivered' });
    expect(await send(through, receiver.url)).toMatchObject({ kind: 'delivered' });
  });

  test('a refusal leaves others alone', async () => {
    const through = channel({ network: { allowPrivateAddresses: false }, timeoutMs: 300 });
    const outcomes = await Promise.all([
      send(through, 'http://localhost:9/'),
      send(through, 'http://does-not-exist.invalid/'),
      send(through, 'http://localhost:9/'),
    ]);
    expect(outcomes.map((outcome) => (outcome as { kind: string }).kind)).toEqual(['rejected', 'retry', 'rejected']);
  });
});

describe('names', () => {
  let server: NameServer;
  beforeEach(async () => {
    server = await NameServer.start();
    server.names.set('good.test', ['127.0.0.1']);
  });
  afterEach(() => server.close());

  test('that nobody answers for, of one account, keep no other account from its host', async () => {
    const through = channel({ network: { allowPrivateAddresses: true, resolver: server.address }, timeoutMs: 2_000 });
    const dead = Array.from({ length: 40 }, (_, n) =>
      send(through, `http://dead${n}.test/`, { account: 'evil', key: `dead ${n}` }),
    );
    await server.until(() => server.asked.length >= 16);
    expect(await send(through, `http://good.test:${receiver.port}/`)).toMatchObject({ kind: 'delivered' });
    expect(new Set(server.asked).size).toBe(17);
    for (const outcome of await Promise.all(dead)) {
      expect(outcome).toMatchObject({ kind: 'postponed', reason: expect.stringMatching(/^http:\/\/dead\d+\.test: /) });
    }
  });

  test('that do not exist are tried again, because they may come to be', async () => {
    server.names.set('gone.test', []);
    const through = channel({ network: { allowPrivateAddresses: true, resolver: server.address } });
    expect(await send(through, 'http://gone.test/')).toEqual({
      kind: 'retry',
      reason: 'http://gone.test: gone.test has no address',
      unreachable: true,
    });
  });

  test('are not looked up for a request that can use an open connection', async () => {
    const through = channel({ network: { allowPrivateAddresses: true, resolver: server.address }, perOrigin: 1 });
    for (const key of ['a', 'b', 'c']) await send(through, `http://good.test:${receiver.port}/`, { key });
    expect(server.asked).toEqual(['good.test']);
    expect(receiver.connections).toBe(1);
  });

  test('that resolve to a private address are tried again at first, and rejected when that stays so', async () => {
    let now = 0;
    const clock = { ...systemClock, monotonic: () => now };
    const through = channel({ network: { allowPrivateAddresses: false, resolver: server.address }, clock });
    const refused = { reason: expect.stringContaining('good.test is a private address') };
    expect(await send(through, 'http://good.test/')).toMatchObject({ kind: 'retry', ...refused });
    now = 59_000;
    expect(await send(through, 'http://good.test/')).toMatchObject({ kind: 'retry', ...refused });
    now = 120_001;
    expect(await send(through, 'http://good.test/')).toMatchObject({ kind: 'rejected', ...refused });
  });

  test('with addresses of both kinds are reached at those that are allowed', async () => {
    server.names.set('both.test', ['169.254.169.254', '127.0.0.1']);
    const network = { allowPrivateAddresses: false, allowNetworks: ['127.0.0.0/8'], resolver: server.address };
    const outcome = await send(channel({ network }), `http://both.test:${receiver.port}/`);
    expect(outcome).toMatchObject({ kind: 'delivered' });
  });

  test('that lead to a network which the operator denies are refused', async () => {
    const network = { allowPrivateAddresses: true, denyNetworks: ['127.0.0.0/8'], resolver: server.address };
    const through = channel({ network });
    expect(await send(through, `http://good.test:${receiver.port}/`)).toMatchObject({ kind: 'retry' });
    expect(await send(through, receiver.url)).toMatchObject({ kind: 'rejected' });
    expect(receiver.journal).toHaveLength(0);
  });
});

describe('an account that has a secret never sends unsigned, and one that a person has disabled never sends', () => {
  test('the message of one that is disabled is suspended without a request', async () => {
    const disabled = { ...storedAs([SECRET], 3), blocked: 'a person has disabled the account' };
    const through = channel({ secretsOf: async () => new Map([['shop', disabled]]) });
    const reason = 'a person has disabled the account';
    expect(await send(through, '/')).toEqual({ kind: 'unusable', reason, generation: 3 });
    expect(receiver.journal).toHaveLength(0);
  });

  test('the signature verifies with the library of the specification', async () => {
    const through = channel({
      secretsOf: async (accounts) => new Map(accounts.map((account) => [account, storedAs([SECRET])])),
    });
    await through.warm(['shop']);
    await send(through, '/', { key: 'msg_7', payload: { body: 'Grüße 🎈' } });
    const [received] = receiver.journal;
    expect(received?.headers['webhook-id']).toBe('msg_7');
    const verified = () =>
      new Webhook(SECRET).verify(received?.body ?? '', received?.headers as Record<string, string>);
    // The library parses the body as JSON once the signature holds, so a body that is not JSON fails only after that.
    expect(verified).toThrow(/JSON/);
    await send(through, '/', { key: 'msg_8' });
    const second = receiver.journal[1];
    expect(new Webhook(SECRET).verify(second?.body ?? '', second?.headers as Record<string, string>)).toEqual({ n: 1 });
  });

  test("the time is the attempt's, though this machine's clock is an hour wrong", async () => {
    const clock = { ...systemClock, now: () => systemClock.now() - 3_600_000 };
    const through = channel({ clock, secretsOf: async () => new Map([['shop', storedAs([SECRET])]]) });
    const date = encodeURIComponent(new Date(systemClock.now() + 60_000).toUTCString());
    const { afterMs: after } = (await send(through, `/?status=503&retry-after=${date}`)) as { afterMs: number };
    expect(after).toBeLessThanOrEqual(60_000);
    const [received] = receiver.journal;
    // The library refuses a signature that is minutes old.
    expect(new Webhook(SECRET).verify(received?.body ?? '', received?.headers as Record<string, string>)).toEqual({
      n: 1,
    });
  });

  test('a secret of another account that cannot be opened changes nothing', async () => {
    const broken = new Unavailable('sealed with another key');
    const found = new Map([['other', storedAs(broken)]]);
    const through = channel({ secretsOf: async () => found.set('shop', storedAs([SECRET])) });
    await through.warm(['shop', 'other']);
    expect(await send(through, '/', { key: 'msg_7' })).toMatchObject({ kind: 'delivered' });
    expect(receiver.journal[0]?.headers['webhook-signature']).toMatch(/^v1,/);
    expect(await send(through, '/', { key: 'msg_8', account: 'other' })).toEqual({
      kind: 'postponed',
      reason: "the account's secret could not be read: sealed with another key",
    });
    expect(receiver.journal).toHaveLength(1);
  });

  test('without a secret there is no signature, and still a key', async () => {
    await send(channel(), '/', { key: 'msg_9' });
    const headers = receiver.journal[0]?.headers ?? {};
    expect(headers['webhook-signature']).toBeUndefined();
    expect(headers['webhook-id']).toBe('msg_9');
    expect(headers['idempotency-key']).toBe('msg_9');
  });

  test('a secret that is none is a reason to wait for another one, and is not told', async () => {
    const through = channel({ secretsOf: async () => new Map([['shop', storedAs(['not a secret!'])]]) });
    const outcome = await send(through, '/');
    expect(outcome).toMatchObject({ kind: 'postponed', reason: expect.stringContaining('Standard Webhooks secret') });
    expect(JSON.stringify(outcome)).not.toContain('not a secret!');
    expect(receiver.journal).toHaveLength(0);
  });

  test('a secret that was set and cannot sign holds up its account only, says so, and costs no attempt', async () => {
    const stored = new Map([
      ['shop', storedAs([`${SECRET.replace(/=+$/, '')}===`])],
      ['other', storedAs([SECRET])],
    ]);
    const through = channel({ secretsOf: async () => stored });
    await through.warm(['shop', 'other']);
    const mayStart = jest.fn(() => true);
    expect(await send(through, '/', { mayStart })).toEqual({
      kind: 'postponed',
      reason: expect.stringContaining('it cannot sign, because it is not a Standard Webhooks secret'),
    });
    expect(mayStart).not.toHaveBeenCalled();
    expect(receiver.journal).toHaveLength(0);
    expect(await send(through, '/', { account: 'other' })).toMatchObject({ kind: 'delivered' });
    expect(receiver.journal[0]?.headers['webhook-signature']).toMatch(/^v1,/);
  });

  test('an earlier secret that cannot sign does not keep the newest from it', async () => {
    const through = channel({ secretsOf: async () => new Map([['shop', storedAs([SECRET, 'not a secret!'])]]) });
    expect(await send(through, '/')).toMatchObject({ kind: 'delivered' });
    const [received] = receiver.journal;
    expect(received?.headers['webhook-signature']).toMatch(/^v1,[^ ]+$/);
    expect(new Webhook(SECRET).verify(received?.body ?? '', received?.headers as Record<string, string>)).toEqual({
      n: 1,
    });
  });

  test('secrets that cannot be read: warm says so, and send postpones, because the receiver has no part in it', async () => {
    const through = channel({ secretsOf: () => Promise.reject(new Unavailable('database away')) });
    await expect(through.warm(['shop'])).rejects.toThrow(Unavailable);
    const reason = expect.stringContaining('database away');
    expect(await send(through, '/')).toMatchObject({ kind: 'postponed', reason });
    expect(receiver.journal).toHaveLength(0);
  });
});

test('every attempt of a message carries the same key', async () => {
  const through = channel();
  await send(through, '/?status=500', { key: 'msg_5' });
  await send(through, '/', { key: 'msg_5' });
  expect(receiver.journal.map(({ headers }) => headers['idempotency-key'])).toEqual(['msg_5', 'msg_5']);
  expect(receiver.accepted).toHaveLength(1);
});

test('the method, the headers and the body go out as they were given', async () => {
  const through = channel();
  await send(through, '/a?b=1', { payload: { method: 'PUT', headers: { 'X-One': 'Ü' }, body: 'as it is' } });
  await send(through, '/', { payload: { body: { text: '🎈' } } });
  await send(through, '/', { payload: { headers: { 'Content-Type': 'application/cloudevents+json' } } });
  await send(through, '/', { payload: { method: 'GET', body: '' } });
  const [put, json, typed, get] = receiver.journal;
  expect(put).toMatchObject({ method: 'PUT', path: '/a?b=1', body: 'as it is' });
  expect(put?.headers['x-one']).toBe('Ü');
  expect(put?.headers['content-type']).toBeUndefined();
  expect(json).toMatchObject({ method: 'POST', body: '{"text":"🎈"}' });
  expect(json?.headers['content-type']).toBe('application/json');
  expect(typed?.headers['content-type']).toBe('application/cloudevents+json');
  expect(get).toMatchObject({ method: 'GET', body: '' });
});

test('a thousand requests share few connections and each ends once', async () => {
  const through = channel({ perOrigin: 8 });
  const outcomes = await Promise.all(Array.from({ length: 1_000 }, (_, n) => send(through, '/', { key: `m${n}` })));
  expect(outcomes.every((outcome) => (outcome as { kind: string }).kind === 'delivered')).toBe(true);
  expect(new Set(receiver.journal.map(({ key }) => key)).size).toBe(1_000);
  expect(receiver.connections).toBeLessThanOrEqual(8);
});
