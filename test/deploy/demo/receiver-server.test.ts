import { once } from 'node:events';
import { connect } from 'node:net';
import { WebhookChannel } from '../../../connectors/channels/webhook/webhook';
import { ReceiverServer } from '../../../deploy/demo/receiver-server';
import { systemClock } from '../../../topology/core/clock';

let now: number;
let server: ReceiverServer;
let port: number;

beforeEach(async () => {
  now = 1_000;
  server = new ReceiverServer({ now: () => now });
  port = await server.listen();
});
afterEach(() => server.close());

test('a message is accepted once by its key, and judged by its due time', async () => {
  const channel = new WebhookChannel({
    timeoutMs: 5_000,
    perOrigin: 2,
    clock: systemClock,
    network: { allowPrivateAddresses: true },
    secretsOf: async () => new Map(),
  });
  const send = (key: string, dueAt: number) => {
    const payload = {
      url: `http://127.0.0.1:${port}/`,
      headers: { 'x-due-at': String(dueAt), 'x-tag': `t${key}` },
      body: 1,
    };
    const attempt = {
      id: 1,
      account: 'a',
      dueAt: 0,
      inDoubt: false,
      idempotencyKey: key,
      mayStart: () => true,
      now: () => now,
    };
    return channel.send(channel.prepare('a', JSON.stringify(payload)), attempt);
  };
  expect(await send('1', 990)).toMatchObject({ kind: 'delivered', status: 200 });
  now = 1_010;
  await send('1', 990);
  await send('2', 1_015);
  now = 1_020;
  await send('3', 920);
  await channel.close();
  expect(server.arrivals.report()).toEqual({
    requests: 4,
    accepted: 3,
    duplicates: 1,
    withoutKey: 0,
    early: 1,
    afterDue: { p50: 10, p90: 100, p99: 100, max: 100 },
    firstAt: 1_000,
    lastAt: 1_020,
  });
  expect(server.arrivals.list().map(({ key, tag, at, accepted }) => [key, tag, at, accepted])).toEqual([
    ['1', 't1', 1_000, true],
    ['1', 't1', 1_010, false],
    ['2', 't2', 1_010, true],
    ['3', 't3', 1_020, true],
  ]);
  server.arrivals.reset();
  expect(server.arrivals.report()).toMatchObject({ requests: 0, accepted: 0, afterDue: null, firstAt: null });
});

test.each([
  ['a request that closes', 'GET / HTTP/1.1\r\nConnection: close\r\n\r\n', 'HTTP/1.1 200 OK'],
  ['a chunked body', 'POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n', 'HTTP/1.1 400 Bad Request'],
])('%s is answered and the connection ends', async (_, request, status) => {
  const socket = connect(port, '127.0.0.1');
  socket.write(request);
  const [answer] = (await once(socket, 'data')) as [Buffer];
  expect(answer.toString()).toContain(status);
  await once(socket, 'close');
});
