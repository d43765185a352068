import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

const TYPE_A = 1;
const TYPE_CNAME = 5;
const TYPE_AAAA = 28;
const TYPES = { 0: 0, 4: TYPE_A, 6: TYPE_AAAA } as const;
const NAME_ERROR = 3;
/** RFC 1035, section 4.1.1. */
const ERRORS = { malformed: 1, failure: 2, unable: 4, refused: 5 } as const;

/**
 * What is known of a name: addresses, or that it is another name for one that has some. An empty list says that the name does
 * not exist, a word that the server cannot or will not say.
 */
type Known = readonly string[] | keyof typeof ERRORS | { readonly cname: string };

/** A DNS server on 127.0.0.1. It answers for the names it is given, and for no others. */
export class NameServer {
  /** By name; a function is given how often the name was asked for before. */
  readonly names = new Map<string, Known | ((times: number) => Known)>();
  /** Names that were asked for (A only), in order. */
  readonly asked: string[] = [];
  /** Families for which questions of a name are not answered before `release`. */
  readonly held = new Map<string, 4 | 6>();
  /** Families for which questions of a name are answered with a problem of the server's, whatever is known of it. */
  readonly failing = new Map<string, 4 | 6>();
  private readonly unanswered: (readonly [name: string, answer: () => void])[] = [];
  private readonly waiting = new Set<() => void>();

  private constructor(private readonly socket: Socket) {
    socket.on('message', (query, { port, address }) => {
      const { name, type, end } = questionOf(query);
      const known = TYPES[this.failing.get(name) ?? 0] === type ? 'failure' : this.knownOf(name);
      if (type === TYPE_A) this.asked.push(name);
      const family = this.held.get(name);
      const answer = () => {
        if (known !== undefined) socket.send(this.answerTo(query, end, type, known), port, address);
      };
      if (family === undefined || TYPES[family] !== type) answer();
      else this.unanswered.push([name, answer]);
      for (const look of this.waiting) look();
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

  /** Questions of the name that were held and not answered. */
  heldOf(name: string): number {
    return this.unanswered.filter(([of]) => of === name).length;
  }

  /** Answers what was held of the name, and holds no more of it. */
  release(name: string): void {
    this.held.delete(name);
    for (const [of, answer] of this.unanswered) if (of === name) answer();
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.socket.close(resolve);
    });
  }

  private knownOf(name: string): Known | undefined {
    const known = this.names.get(name);
    return typeof known === 'function' ? known(this.asked.filter((one) => one === name).length) : known;
  }

  private answerTo(query: Buffer, end: number, type: number, known: Known): Buffer {
    const records = type === TYPE_A || type === TYPE_AAAA ? this.recordsOf(known, type) : [];
    const head = Buffer.from(query.subarray(0, 12));
    const isUnknown = Array.isArray(known) && known.length === 0;
    const code = typeof known === 'string' ? ERRORS[known] : isUnknown ? NAME_ERROR : 0;
    head.writeUInt16BE(0x8180 | code, 2);
    head.writeUInt16BE(1, 4);
    head.writeUInt16BE(records.length, 6);
    head.writeUInt32BE(0, 8);
    return Buffer.concat([head, query.subarray(12, end), ...records]);
  }

  /** @param owner whose records they are: the name of the question by reference, unless another is given */
  private recordsOf(known: Known, type: number, owner: Buffer = Buffer.from([0xc0, 12])): Buffer[] {
    if (typeof known === 'string') return [];
    if (!('cname' in known)) {
      const addresses = known.filter((address) => TYPES[isIP(address) as 4 | 6] === type);
      return addresses.map((address) => recordOf(owner, type, Buffer.from(ipaddr.parse(address).toByteArray())));
    }
    const target = nameAsBytes(known.cname);
    return [recordOf(owner, TYPE_CNAME, target), ...this.recordsOf(this.knownOf(known.cname) ?? [], type, target)];
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

/** Of class IN, for 60 seconds. */
function recordOf(owner: Buffer, type: number, data: Buffer): Buffer {
  return Buffer.concat([owner, Buffer.from([0, type, 0, 1, 0, 0, 0, 60, 0, data.length]), data]);
}

function nameAsBytes(name: string): Buffer {
  return Buffer.concat([...name.split('.'), ''].map((label) => Buffer.from([label.length, ...Buffer.from(label)])));
}
