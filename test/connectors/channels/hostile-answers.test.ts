import type { Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import type { Channel } from '../../../bolts/channel';
import { channelKinds, classOf, keyLifetimeOf } from '../../../connectors/channels/channel-kinds';
import { Media } from '../../../connectors/channels/media/media';
import { systemClock } from '../../../topology/core/clock';
import type { Outcome } from '../../../topology/message';
import type { ChannelName } from '../../../topology/payloads/payloads';
import { topologySchema } from '../../../topology/settings/topology-schema';
import { MemoryKeeping } from '../../support/channels/memory-keeping';
import { storedAs } from '../../support/channels/stored-accounts';
import { until } from '../../support/until';
import { asked, drips, floods, type Manner, RawServer, says } from './raw-server';
import { soundAccounts } from './sound-accounts';

const TIMEOUT = 300;
/** The longest that is allowed: images may take three times the time-out. */
const ENDS_WITHIN = 5 * TIMEOUT;
const network = { allowPrivateAddresses: true };

let closing: (() => unknown)[];
beforeEach(() => {
  closing = [];
});
afterEach(async () => {
  for (const close of closing.toReversed()) await close();
});

async function serverOf(manner: Manner): Promise<RawServer> {
  const server = await RawServer.start(manner);
  closing.push(() => server.close());
  return server;
}

/** Channels over HTTP. Each asks a server that the account names. */
const names = Object.values(channelKinds)
  .map(({ name }) => name)
  .filter((name) => name !== 'email');
/** Those that can be asked whether they have a message. */
const withLookup = names.filter((name) => classOf(name) === 'lookup' || keyLifetimeOf(name) !== undefined);

function channelOf(name: ChannelName, credentials: object): Channel {
  const settings = topologySchema.parse({ components: { [name]: { timeout: TIMEOUT, perOrigin: 1 } } });
  const stored = name === 'webhook' ? [] : [['shop', storedAs([JSON.stringify(credentials)])] as const];
  const channel = channelKinds[name].build(settings.bolts[name] as never, {
    clock: systemClock,
    network,
    secretsOf: async () => new Map(stored),
  });
  closing.push(() => channel.close());
  return channel;
}

const contextOf = () => ({
  id: 1,
  account: 'shop',
  dueAt: systemClock.now(),
  inDoubt: false,
  idempotencyKey: 'downspout-0123456789abcdef-1-1',
  kept: new MemoryKeeping(),
  now: () => systemClock.now(),
});

/** An attempt at a server. */
function attempt(name: ChannelName, server: RawServer): Promise<Outcome | 'not_started'> {
  const url = `http://127.0.0.1:${server.port}`;
  const { credentials, payload } = soundAccounts[name];
  const channel = channelOf(name, credentials(url));
  const prepared = channel.prepare('shop', JSON.stringify(payload(url)));
  return channel.send(prepared, { ...contextOf(), mayStart: () => true });
}

/** An image from a server. */
function fetch(server: RawServer) {
  const limits = { types: ['image/png'], maxBytes: 1_000 } as const;
  const options = { clock: systemClock, network, folder: undefined, limits, timeoutMs: TIMEOUT, concurrency: 4 };
  const media = new Media(options);
  closing.push(() => media.close());
  const items = [{ url: `http://127.0.0.1:${server.port}/cup.png` }];
  return media.with(
    'shop',
    items,
    () => systemClock.now(),
    async () => ({ kind: 'got' as const }),
  );
}

async function inTime<T>(work: Promise<T>): Promise<T> {
  const began = systemClock.monotonic();
  const ended = await work;
  expect(systemClock.monotonic() - began).toBeLessThan(ENDS_WITHIN);
  return ended;
}

const CHUNKED = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n';
const BODY = 'HTTP/1.1 200 OK\r\ncontent-type: image/png\r\ncontent-length: 1000000000\r\n\r\n';

const answers = {
  'headers without end': floods('HTTP/1.1 200 OK\r\n', 'x-a: b\r\n'),
  'one header without end': floods('HTTP/1.1 200 OK\r\nx-a: ', 'b'),
  'a status line without end': floods('HTTP/1.1 200 ', 'O'),
  'hints without end': floods('', 'HTTP/1.1 103 Early Hints\r\nlink: <a>\r\n\r\n'),
  'continues without end': floods('', 'HTTP/1.1 100 Continue\r\n\r\n'),
  'one continue without end': floods('HTTP/1.1 100 Continue\r\n', 'x-a: b\r\n'),
  'chunks without end': floods(CHUNKED, '5\r\nhello\r\n'),
  'empty lines without end': floods('', '\r\n'),
  'an extension of a chunk without end': floods(`${CHUNKED}5;`, 'a'),
  'trailers without end': floods(`${CHUNKED}5\r\nhello\r\n0\r\n`, 'x-a: b\r\n'),
  'a body without end': floods(BODY, 'a'),
  'a status line that drips': drips('HTTP/1.1 200 '),
  'headers that drip': drips('HTTP/1.1 200 OK\r\nx-a: '),
  'a body that drips': drips(BODY),
  'chunks that drip': drips(`${CHUNKED}ffff\r\n`),
} as const;

describe.each(Object.entries(answers))('%s', (_, manner) => {
  // All channels of providers read answers in the same way.
  test.each(['webhook', 'discord'] as const)('end an attempt of %s in time, and its connection', async (name) => {
    const server = await serverOf(asked(manner));
    expect(await inTime(attempt(name, server))).toMatchObject({
      kind: expect.stringMatching(/^(delivered|unknown|retry)$/),
    });
    await until('the connection is cut', () => server.asked.size === 0);
  });

  test('end the fetching of an image in time, and its connection', async () => {
    const server = await serverOf(asked(manner));
    const got = await inTime(fetch(server));
    expect(got).toMatchObject({
      kind: expect.stringMatching(/^(rejected|retry)$/),
      reason: expect.stringContaining('The file '),
    });
    await until('the connection is cut', () => server.asked.size === 0);
  });
});

const MIB = 1024 ** 2;

function answer(status: number, body: string | Buffer, headers = ''): Buffer {
  const bytes = Buffer.from(body);
  return Buffer.concat([
    Buffer.from(`HTTP/1.1 ${status} It\r\n${headers}content-length: ${bytes.length}\r\n\r\n`),
    bytes,
  ]);
}

const nested = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`;
const bombs = {
  'nested errors': (status: number) => answer(status, `{"code":1,"message":"a","errors":${nested(400_000)}}`),
  'nested objects': (status: number) => answer(status, `${'{"error":'.repeat(90_000)}1${'}'.repeat(90_000)}`),
  'a list of very many': (status: number) => answer(status, `[${'0,'.repeat(MIB / 2 - 2)}0]`),
  'very many members': (status: number) => answer(status, `{${'"a":0,'.repeat(MIB / 6 - 2)}"a":0}`),
  'ten megabytes that were packed': (status: number) =>
    answer(
      status,
      gzipSync(Buffer.alloc(10 * MIB, '[')),
      'content-encoding: gzip\r\ncontent-type: application/json\r\n',
    ),
};

describe.each(Object.entries(bombs))('an answer of %s', (_, bomb) => {
  test.each(names)('is an answer for %s like any other that it does not know', async (name) => {
    for (const status of [200, 400]) {
      const server = await serverOf(asked(says(bomb(status))));
      const outcome = await inTime(attempt(name, server));
      // To a webhook the status is the answer.
      const kinds = name === 'webhook' ? /^(delivered|rejected)$/ : /^(unknown|rejected|retry|unusable)$/;
      expect(outcome).toMatchObject({ kind: expect.stringMatching(kinds) });
    }
  });

  test.each(withLookup)('leaves a lookup of %s without an answer', async (name) => {
    const server = await serverOf(asked(says(bomb(200))));
    const { credentials, payload } = soundAccounts[name];
    const channel = channelOf(name, credentials(`http://127.0.0.1:${server.port}`));
    const prepared = channel.prepare('shop', JSON.stringify(payload('')));
    const context = { ...contextOf(), inDoubt: true, notBefore: systemClock.now() };
    // Where ids are kept nothing would be asked without.
    context.kept.ids = { container: '17900000000000000' };
    const found = await inTime(Promise.resolve(channel.lookup?.(prepared, context)));
    expect(found).toMatchObject({ kind: 'unknown' });
  });
});

const mails = {
  'a greeting without end': floods('220 ', 'a'),
  'lines of a greeting without end': floods('', '220-mail\r\n'),
  'greetings without end': floods('', '220 mail\r\n'),
  'empty lines without end': floods('', '\r\n'),
  'what it can, without end,': (socket: Socket) => {
    socket.write('220 mail\r\n');
    asked(floods('', '250-SIZE\r\n'))(socket);
  },
  'refusals without end': floods('', '421 busy\r\n'),
  'a greeting that drips': drips('220 '),
};

test.each(Object.entries(mails))(
  'a mail server that says %s ends an attempt in time, and its connection',
  async (_, manner) => {
    const server = await serverOf(manner);
    const { port } = server;
    const channel = channelOf('email', {
      host: '127.0.0.1',
      port: String(port),
      security: 'plain',
      from: 'shop@example.com',
    });
    const payload = { to: 'ann@example.org', subject: 'a', text: 'a' };
    const prepared = channel.prepare('shop', JSON.stringify(payload));
    const outcome = await inTime(channel.send(prepared, { ...contextOf(), mayStart: () => true }));
    expect(outcome).toMatchObject({ kind: 'retry', reason: expect.stringMatching(/./) });
    await until('the connection is cut', () => server.open.size === 0);
  },
);
