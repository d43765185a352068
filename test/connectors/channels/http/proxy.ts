import { once } from 'node:events';
import { createServer, request as forward, type IncomingMessage, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { systemClock } from '../../../../topology/core/clock';

/** Between two interim answers of a proxy that says nothing else, milliseconds. */
const AGAIN_MS = 20;

/** A company's proxy on 127.0.0.1. Names end at `target`, whatever they are: it resolves them, nobody else does. */
export class Proxy {
  /** First lines of the requests, e.g. `CONNECT a.test:443`. */
  readonly seen: string[] = [];
  readonly credentials: (string | undefined)[] = [];
  /** What is answered instead of doing what was asked. */
  refusal: number | undefined;
  /** Tunnels are neither opened nor refused; what is said before one is said again and again. */
  isSilent = false;
  /** For each tunnel that was neither opened nor refused, that whoever asked for it has gone. */
  readonly left: Promise<unknown>[] = [];
  /** What is said before a tunnel is opened. */
  interim = '';
  private readonly sockets = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    private readonly target: number,
  ) {
    server.on('connection', (socket) => this.keep(socket));
    server.on('request', (request, response) => {
      this.note(request);
      if (this.refusal !== undefined) {
        response.writeHead(this.refusal).end();
        return;
      }
      const { pathname, search } = new URL(request.url ?? '');
      const { method, headers } = request;
      const onwards = forward({ port: this.target, path: pathname + search, method, headers }, (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      });
      request.pipe(onwards);
    });
    server.on('connect', (request: IncomingMessage, socket: Socket) => {
      this.note(request);
      if (this.isSilent) {
        this.left.push(once(socket.resume(), 'end').then(() => socket.end()));
        this.sayAgain(socket);
        return;
      }
      if (this.refusal !== undefined) {
        socket.end(`HTTP/1.1 ${this.refusal} no\r\n\r\n`);
        return;
      }
      const onwards = connect(this.target, '127.0.0.1', () => {
        socket.write(`${this.interim}HTTP/1.1 200 Connection established\r\n\r\n`);
        socket.pipe(onwards).pipe(socket);
      });
      this.keep(onwards);
    });
  }

  /** @param target a port on 127.0.0.1 */
  static async start(target: number): Promise<Proxy> {
    const proxy = new Proxy(createServer(), target);
    proxy.server.listen(0, '127.0.0.1');
    await once(proxy.server, 'listening');
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => {
      this.server.close(resolve);
    });
  }

  private note({ method, url, headers }: IncomingMessage): void {
    this.seen.push(`${method} ${url}`);
    this.credentials.push(headers['proxy-authorization']);
  }

  private sayAgain(socket: Socket): void {
    if (this.interim === '' || !socket.writable) return;
    socket.write(this.interim, () => systemClock.after(AGAIN_MS, () => this.sayAgain(socket)));
  }

  private keep(socket: Socket): void {
    this.sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.sockets.delete(socket));
  }
}
