import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { systemClock } from '../../../topology/core/clock';

/** A connection and its other half, to the server. */
interface Link {
  readonly near: Socket;
  readonly far: Socket;
  frozen: boolean;
}

/**
 * A network between clients and a server of this machine, whose faults are made by hand:
 *
 * - `latency`: so many milliseconds for every piece of data, in each direction
 * - `freeze`: half-open: nothing is forwarded and nothing is closed. What was sent meanwhile arrives after `thaw`, even when
 *   whoever sent it has given up, as on a real network
 * - `reset`: every connection is cut with a reset
 */
export class FaultProxy {
  /** The server's port; may be set later. */
  target = 0;
  latency = 0;
  private readonly links = new Set<Link>();
  private frozen = false;

  private constructor(private readonly server: Server) {
    server.on('connection', (near) => this.join(near));
  }

  static async start(): Promise<FaultProxy> {
    const server = createServer({ allowHalfOpen: true, noDelay: true });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new FaultProxy(server);
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** @param which `all`: new connections too are taken and lead nowhere */
  freeze(which: 'all' | 'present'): void {
    this.frozen = which === 'all';
    for (const link of this.links) hold(link);
  }

  thaw(): void {
    this.frozen = false;
    for (const link of this.links) {
      link.frozen = false;
      link.near.resume();
      link.far.resume();
    }
  }

  reset(): void {
    for (const { near, far } of this.links) {
      near.resetAndDestroy();
      far.resetAndDestroy();
    }
  }

  async close(): Promise<void> {
    this.reset();
    await new Promise((resolve) => {
      this.server.close(resolve);
    });
  }

  private join(near: Socket): void {
    const far = connect({ port: this.target, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    const link = { near, far, frozen: false };
    this.links.add(link);
    this.forward(link, near, far);
    this.forward(link, far, near);
    if (this.frozen) hold(link);
  }

  private forward(link: Link, from: Socket, to: Socket): void {
    from.on('data', (piece: Buffer) => {
      from.pause();
      const pass = () => {
        if (to.destroyed) return;
        to.write(piece, () => {
          if (!link.frozen) from.resume();
        });
      };
      if (this.latency === 0) pass();
      else systemClock.after(this.latency, pass);
    });
    from.on('end', () => to.end());
    // What went wrong on one side goes wrong on the other.
    from.on('error', () => to.destroy());
    from.on('close', () => {
      if (to.destroyed) this.links.delete(link);
    });
  }
}

function hold(link: Link): void {
  link.frozen = true;
  link.near.pause();
  link.far.pause();
}
