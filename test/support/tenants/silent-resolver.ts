import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { freePort } from '../../../deploy/stack/host/ports';

/** A name server that takes questions, by UDP and TCP, and answers none. */
export class SilentResolver {
  /** Questions by UDP, and connections by TCP. */
  asked = 0;
  private readonly sockets = new Set<Socket>();

  private constructor(
    private readonly udp: UdpSocket,
    private readonly tcp: Server,
  ) {
    udp.on('message', () => this.asked++);
    tcp.on('connection', (socket) => {
      this.asked++;
      this.sockets.add(socket);
      socket.resume();
      socket.on('error', () => socket.destroy());
    });
  }

  static async start(): Promise<SilentResolver> {
    // Below the range from which systems take ports for outgoing connections: one that is free by UDP may be taken by TCP.
    const port = await freePort(new Set());
    const udp = createSocket('udp4');
    udp.bind(port, '127.0.0.1');
    await once(udp, 'listening');
    const tcp = createServer();
    tcp.listen(port, '127.0.0.1');
    await once(tcp, 'listening');
    return new SilentResolver(udp, tcp);
  }

  /** As `DOWNSPOUT_RESOLVER` takes it. */
  get address(): string {
    return `127.0.0.1:${this.udp.address().port}`;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.udp.close();
    await new Promise<void>((resolve) => {
      this.tcp.close(() => resolve());
    });
  }
}
