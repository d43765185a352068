import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** The end of what was sent last is kept, so that what is looked for may come in two pieces. Bytes. */
const KEPT_BYTES = 256;

/** A network between a channel and a server. It notes what is sent, and cuts a connection at the answer when it is told to. */
export class AnswerCutter {
  /** Lines of HTTP requests and of SMTP that clients sent, as far as `noted` says. */
  readonly sent: string[] = [];
  /** Answers that did not arrive. */
  cuts = 0;
  private readonly sockets = new Set<Socket>();
  private match: RegExp | undefined;

  private constructor(
    private readonly server: Server,
    private readonly target: number,
    private readonly noted: RegExp,
  ) {
    server.on('connection', (near) => this.join(near));
  }

  /**
   * @param target the server's port
   * @param noted what is kept of what clients send
   */
  static async start(target: number, noted: RegExp): Promise<AnswerCutter> {
    const server = createServer({ noDelay: true });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new AnswerCutter(server, target, noted);
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** The next answer to what matches is taken from the server and does not reach the client, whose connection ends. */
  cutAnswerTo(match: RegExp): void {
    this.match = match;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => {
      this.server.close(resolve);
    });
  }

  private join(near: Socket): void {
    const far = connect({ port: this.target, host: '127.0.0.1', noDelay: true });
    let last = '';
    let isDoomed = false;
    near.on('data', (piece: Buffer) => {
      const text = piece.toString('latin1');
      this.sent.push(...text.split('\r\n').filter((line) => this.noted.test(line)));
      last += text;
      if (this.match?.test(last) === true) {
        isDoomed = true;
        this.match = undefined;
      }
      last = last.slice(-KEPT_BYTES);
      far.write(piece);
    });
    far.on('data', (piece: Buffer) => {
      if (!isDoomed) {
        near.write(piece);
        return;
      }
      this.cuts += 1;
      near.destroy();
      far.destroy();
    });
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      this.sockets.add(one);
      one.on('end', () => other.end());
      one.on('error', () => other.destroy());
      one.on('close', () => {
        this.sockets.delete(one);
        other.destroy();
      });
    }
  }
}
