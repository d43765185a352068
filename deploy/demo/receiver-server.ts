import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { Clock } from '../../topology/core/clock';
import { Arrivals } from './arrivals';
import { headerOf, RequestFramer } from './request-framer';

const OK = Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 0\r\nkeep-alive: timeout=300\r\n\r\n');
const OK_AND_CLOSE = Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n');
const BAD = Buffer.from('HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n');
const CLOSES = /\r\nconnection:[ \t]*close/i;

/**
 * Stands for the outside world: accepts every message once by its `Idempotency-Key`, answers 200, and stamps the arrival.
 * `x-due-at` (epoch milliseconds) says when a message was due, `x-tag` anything the sender wants to see again.
 */
export class ReceiverServer {
  readonly arrivals = new Arrivals();
  private readonly sockets = new Set<Socket>();
  private readonly server: Server;

  constructor(private readonly clock: Pick<Clock, 'now'>) {
    this.server = createServer({ noDelay: true }, (socket) => this.accept(socket));
  }

  /** @returns the port on the loopback interface. @throws when it is taken */
  async listen(port = 0): Promise<number> {
    this.server.listen(port, '127.0.0.1', 1_024);
    await once(this.server, 'listening');
    return (this.server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => {
      this.server.close(resolve);
    });
  }

  private accept(socket: Socket): void {
    this.sockets.add(socket);
    const framer = new RequestFramer(({ head }) => {
      const due = headerOf(head, 'x-due-at');
      this.arrivals.record(
        headerOf(head, 'idempotency-key'),
        headerOf(head, 'x-tag') ?? null,
        due === undefined ? null : Number(due),
        this.clock.now(),
      );
      if (CLOSES.test(head)) socket.end(OK_AND_CLOSE);
      else socket.write(OK);
    });
    socket.on('data', (chunk) => {
      try {
        framer.feed(chunk);
      } catch {
        socket.end(BAD);
      }
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.sockets.delete(socket));
  }
}
