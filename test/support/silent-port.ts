import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';

/** A port that takes connections, and answers nothing. */
export class SilentPort {
  private readonly sockets = new Set<Socket>();

  private constructor(private readonly server: Server) {
    server.on('connection', (socket) => {
      this.sockets.add(socket.resume());
      socket.on('error', () => socket.destroy());
    });
  }

  static async open(): Promise<SilentPort> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new SilentPort(server);
  }

  /** host:port. */
  get address(): string {
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** That were made so far. */
  get connections(): number {
    return this.sockets.size;
  }

  /** Breaks all connections off. */
  async close(): Promise<void> {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
    await once(this.server, 'close');
  }
}
