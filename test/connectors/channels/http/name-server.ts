import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { isIP } from 'node:net';

const TYPE_A = 1;
const NAME_ERROR = 3;
const SERVER_FAILURE = 2;

/** A DNS server on 127.0.0.1. It answers for the names it is given, and for no others. */
export class NameServer {
  /** IPv4 addresses by name; an empty list says that the name does not exist, `failure` that the server has a problem. */
  readonly names = new Map<string, readonly string[] | 'failure'>();
  /** Names that were asked for (A only), in order. */
  readonly asked: string[] = [];
  private readonly waiting = new Set<() => void>();

  private constructor(private readonly socket: Socket) {
    socket.on('message', (query, { port, address }) => {
      const { name, type, end } = questionOf(query);
      if (type === TYPE_A) this.asked.push(name);
      for (const look of this.waiting) look();
      const known = this.names.get(name);
      if (known !== undefined) socket.send(answerTo(query, end, type, known), port, address);
    });
  }

  static async start(): Promise<NameServer> {
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    return new NameServer(socket);
  }

  get address(): string {
    return `127.0.0.1:${this.socket.address().port}`;
  }

  /** Resolves when `condition` holds; it is looked at after every question. */
  until(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (!condition()) return;
        this.waiting.delete(look);
        resolve();
      };
      this.waiting.add(look);
      look();
    });
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.socket.close(resolve);
    });
  }
}

function questionOf(query: Buffer): { name: string; type: number; end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = query.readUInt8(at); length > 0; length = query.readUInt8(at)) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join('.').toLowerCase(), type: query.readUInt16BE(at + 1), end: at + 5 };
}

function answerTo(query: Buffer, end: number, type: number, known: readonly string[] | 'failure'): Buffer {
  const addresses = known === 'failure' || type !== TYPE_A ? [] : known.filter((address) => isIP(address) === 4);
  const head = Buffer.from(query.subarray(0, 12));
  const code = known === 'failure' ? SERVER_FAILURE : known.length === 0 ? NAME_ERROR : 0;
  head.writeUInt16BE(0x8180 | code, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt16BE(addresses.length, 6);
  head.writeUInt32BE(0, 8);
  const records = addresses.map((address) => {
    // The name by reference, A, IN, 60 seconds, 4 bytes.
    const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, ...address.split('.').map(Number)]);
    return record;
  });
  return Buffer.concat([head, query.subarray(12, end), ...records]);
}
