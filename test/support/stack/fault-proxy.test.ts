import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { systemClock } from '../../../topology/core/clock';
import { until } from '../until';
import { FaultProxy } from './fault-proxy';

let server: Server;
let proxy: FaultProxy;
/** What the server was sent, and how many connections it has had and has no more. */
let heard = '';
let begun = 0;
let ended = 0;

beforeEach(async () => {
  heard = '';
  begun = 0;
  ended = 0;
  server = createServer((socket) => {
    begun++;
    socket.on('data', (piece) => {
      heard += String(piece);
      socket.write(piece);
    });
    socket.on('error', () => undefined);
    socket.on('close', () => ended++);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  proxy = await FaultProxy.start();
  proxy.target = (server.address() as AddressInfo).port;
});

afterEach(async () => {
  await proxy.close();
  await new Promise((resolve) => {
    server.close(resolve);
  });
  await until('every connection is closed', () => ended === begun);
});

async function client(): Promise<Socket> {
  const socket = connect(proxy.port, '127.0.0.1');
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

async function echo(socket: Socket, text: string): Promise<string> {
  socket.write(text);
  const [piece] = (await once(socket, 'data')) as [Buffer];
  return String(piece);
}

describe('the network of fault tests', () => {
  it('forwards both ways, and forwards the end of a connection', async () => {
    const socket = await client();
    expect(await echo(socket, 'a')).toBe('a');
    socket.end();
    await once(socket, 'close');
    await until('the server sees the end', () => ended === 1);
  });

  it('delays what it forwards by its latency', async () => {
    const socket = await client();
    proxy.latency = 60;
    const sent = systemClock.monotonic();
    expect(await echo(socket, 'a')).toBe('a');
    expect(systemClock.monotonic() - sent).toBeGreaterThanOrEqual(119);
    socket.destroy();
  });

  it('resets the connections that there are', async () => {
    const socket = await client();
    await echo(socket, 'a');
    proxy.reset();
    await expect(once(socket, 'close')).rejects.toThrow('ECONNRESET');
    await until('the server sees it', () => ended === 1);
  });

  it('half-open, forwards what was sent meanwhile when it goes on, even from those who have given up', async () => {
    const socket = await client();
    await echo(socket, 'a');
    proxy.freeze('present');
    socket.write('b');
    const other = await client();
    // It was sent later, and has come back: the first would have been there by now.
    expect(await echo(other, 'c')).toBe('c');
    socket.destroy();
    expect(heard).toBe('ac');
    expect(ended).toBe(0);
    proxy.thaw();
    await until('the server has it', () => heard === 'acb' && ended === 1);
    other.destroy();
  });

  it('half-open for all, takes connections that lead nowhere', async () => {
    proxy.freeze('all');
    const socket = await client();
    socket.write('a');
    const back = once(socket, 'data');
    expect(heard).toBe('');
    proxy.thaw();
    expect(String(((await back) as [Buffer])[0])).toBe('a');
    socket.destroy();
  });
});
