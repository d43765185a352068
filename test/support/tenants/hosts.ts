import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Socket, type Server as TcpServer } from 'node:net';
import { Arrivals } from '../../../deploy/demo/arrivals';
import { systemClock } from '../../../topology/core/clock';

/** What a host does with a request: it accepts it, never answers, or accepts it with a body of 16 kB that is all `q`. */
export type Manner = 'accepts' | 'hangs' | 'echoes';

const ECHO = 'q'.repeat(16_000);
/** Larger than what any real server takes: the point is what the sender does. */
const MAX_HEAD_BYTES = 4 * 1024 ** 2;

/** A receiver on a port of its own, which is an origin of its own. The path decides what it does with a request. */
export class Host {
  readonly arrivals = new Arrivals();

  private constructor(private readonly server: Server) {
    server.on('request', (request, response) => void this.take(request, response));
  }

  static async start(): Promise<Host> {
    const server = createServer({ keepAliveTimeout: 60_000, maxHeaderSize: MAX_HEAD_BYTES });
    await listening(server);
    return new Host(server);
  }

  /** By name, so that every new connection resolves one. */
  urlOf(manner: Manner): string {
    return `http://localhost:${portOf(this.server)}/${manner}`;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await closed(this.server);
  }

  private async take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.resume();
    await once(request, 'end').catch(() => undefined);
    if (request.url === '/hangs') return;
    const { 'x-tag': tag = null, 'x-due-at': dueAt, 'idempotency-key': key } = request.headers;
    this.arrivals.record(
      key as string,
      tag as string | null,
      dueAt === undefined ? null : Number(dueAt),
      systemClock.now(),
    );
    response.end(request.url === '/echoes' ? ECHO : '');
  }
}

/** Many origins that take connections and requests and never answer. */
export class HangingHosts {
  private readonly sockets = new Set<Socket>();

  private constructor(private readonly servers: readonly TcpServer[]) {
    for (const server of servers) {
      server.on('connection', (socket) => {
        this.sockets.add(socket);
        socket.resume();
        socket.on('error', () => socket.destroy());
        socket.on('close', () => this.sockets.delete(socket));
      });
    }
  }

  static async start(count: number): Promise<HangingHosts> {
    const servers = Array.from({ length: count }, () => createTcpServer());
    await Promise.all(servers.map(listening));
    return new HangingHosts(servers);
  }

  urlOf(n: number): string {
    return `http://127.0.0.1:${portOf(this.servers[n % this.servers.length] as TcpServer)}/`;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await Promise.all(this.servers.map(closed));
  }
}

async function listening(server: TcpServer): Promise<void> {
  server.listen(0, '127.0.0.1', 1_024);
  await once(server, 'listening');
}

function closed(server: TcpServer): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}

function portOf(server: TcpServer): number {
  return (server.address() as AddressInfo).port;
}
