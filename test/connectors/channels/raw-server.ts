import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { systemClock } from '../../../topology/core/clock';

/** What a server does with a connection. */
export type Manner = (socket: Socket) => void;

/** Between two letters of a server that drips, milliseconds. */
const DRIP_MS = 20;
const PIECE_BYTES = 16 * 1024;

/** A server on this machine that says whatever a test makes it say. */
export class RawServer {
  /** Connections that are open, and those of them over which something came: undici opens a new one for each that it cuts. */
  readonly open = new Set<Socket>();
  readonly asked = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    manner: Manner,
  ) {
    server.on('connection', (socket) => {
      this.open.add(socket);
      socket.on('error', () => undefined);
      socket.once('data', () => this.asked.add(socket));
      socket.once('close', () => {
        this.open.delete(socket);
        this.asked.delete(socket);
      });
      manner(socket);
      socket.resume();
    });
  }

  static async start(manner: Manner): Promise<RawServer> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new RawServer(server, manner);
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    for (const socket of this.open) socket.destroy();
    await new Promise((resolve) => {
      this.server.close(resolve);
    });
  }
}

/** Once a request comes, it does something. */
export function asked(manner: Manner): Manner {
  return (socket) => {
    socket.once('data', () => manner(socket));
  };
}

export function says(text: string | Buffer): Manner {
  return (socket) => {
    socket.write(text);
  };
}

/** Says something, and then something else again and again, as fast as it is read. */
export function floods(begins: string, again: string): Manner {
  const piece = again.repeat(Math.ceil(PIECE_BYTES / again.length));
  return (socket) => {
    const more = () => {
      if (socket.writable) socket.write(piece, () => setImmediate(more));
    };
    socket.write(begins, more);
  };
}

/** Says something, and then a letter at a time. */
export function drips(begins: string): Manner {
  return (socket) => {
    const more = () => {
      if (socket.writable) socket.write('a', () => systemClock.after(DRIP_MS, more));
    };
    socket.write(begins, more);
  };
}
