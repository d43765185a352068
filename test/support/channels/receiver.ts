import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { systemClock } from '../../../topology/core/clock';

/** Some tests send far more than what a real server takes. */
const MAX_HEAD_BYTES = 2 * 1024 ** 2;

/** One request as the receiver saw it. */
export interface Received {
  /** `Idempotency-Key`, or empty. */
  readonly key: string;
  /** Epoch milliseconds, when the whole request was in. */
  readonly at: number;
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** SHA-256 of the body, 64 hex digits. */
  readonly contentHash: string;
  /** The receiver took it: answered 2xx, or said nothing of what it did (`accept=yes`). The first of its key only. */
  readonly accepted: boolean;
}

/**
 * A receiver that does what the request's query says, or its `x-receiver` header in the same syntax:
 *
 * - `status=503`, `retry-after=2`, `location=/else`, `receipt=r-1`, `text=hello`: the answer
 * - `delay=200`: milliseconds before the answer; `hang=yes`: no answer at all
 * - `drop=yes`: the connection is cut instead of an answer; `accept=yes`: and yet the message was taken
 * - `once=yes`: all this to the first request of its key only; the others are answered as they should be
 * - `echo=16000`: a body that is so many times `q`
 * - `body=endless`: the body never finishes; `body=huge`: one gigabyte, as fast as it is read; `body=cut`: breaks off
 */
export class Receiver {
  readonly journal: Received[] = [];
  /** Bytes of answers' bodies that were handed to sockets. */
  bodyBytes = 0;
  /** Connections that were made, and those of them that are gone. */
  connections = 0;
  closedConnections = 0;
  /** While true, requests are taken down and never answered. */
  isSilent = false;
  private readonly sockets = new Set<Socket>();
  private readonly keys = new Set<string>();
  private readonly seen = new Set<string>();
  private readonly waiting = new Set<() => void>();

  private constructor(private readonly server: Server) {
    server.on('request', (request, response) => void this.take(request, response));
    server.on('connection', (socket) => {
      this.connections++;
      this.sockets.add(socket);
      socket.on('close', () => {
        this.sockets.delete(socket);
        this.closedConnections++;
        this.notify();
      });
      this.notify();
    });
  }

  static async start(host = '127.0.0.1'): Promise<Receiver> {
    const receiver = new Receiver(createServer({ keepAliveTimeout: 60_000, maxHeaderSize: MAX_HEAD_BYTES }));
    // A burst opens hundreds of connections at once. Those that find no room wait for seconds, as if nobody answered.
    receiver.server.listen(0, host, 4_096);
    await once(receiver.server, 'listening');
    return receiver;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** What was taken, once per key. */
  get accepted(): Received[] {
    return this.journal.filter((received) => received.accepted);
  }

  /** Resolves when `condition` holds; it is looked at after every request and connection. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      await new Promise<void>((resolve) => {
        this.waiting.add(resolve);
      });
    }
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => {
      this.server.close(resolve);
    });
  }

  private async take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request) chunks.push(chunk as Buffer);
    } catch {
      return;
    }
    const script = this.scriptOf(request);
    const status = Number(script.get('status') ?? 200);
    this.note(
      request,
      Buffer.concat(chunks),
      script.get('accept') === 'yes' || (!this.isSilent && !silent(script) && status < 300),
    );
    if (this.isSilent) return;
    if (script.has('delay')) await systemClock.sleep(Number(script.get('delay')));
    if (script.get('drop') === 'yes') request.socket.destroy();
    else if (script.get('hang') !== 'yes' && !response.destroyed) this.answer(response, status, script);
  }

  private note(request: IncomingMessage, content: Buffer, takes: boolean): void {
    const key = keyOf(request);
    const accepted = takes && !this.keys.has(key);
    if (accepted) this.keys.add(key);
    this.journal.push({
      key,
      at: systemClock.now(),
      method: request.method ?? '',
      path: request.url ?? '',
      headers: request.headers,
      body: content.toString(),
      contentHash: createHash('sha256').update(content).digest('hex'),
      accepted,
    });
    this.notify();
  }

  private answer(response: ServerResponse, status: number, script: URLSearchParams): void {
    for (const [name, header] of [
      ['retry-after', 'retry-after'],
      ['location', 'location'],
      ['receipt', 'webhook-receipt'],
    ] as const) {
      const value = script.get(name);
      if (value !== null) response.setHeader(header, value);
    }
    response.statusCode = status;
    const text = script.get('text') ?? 'q'.repeat(Number(script.get('echo') ?? 0));
    if (!script.has('body')) {
      response.end(text);
      return;
    }
    response.write('begun');
    if (script.get('body') === 'cut') response.write('.', () => response.destroy());
    if (script.get('body') === 'huge') this.flood(response, 1024 ** 3);
  }

  private flood(response: ServerResponse, bytes: number): void {
    const chunk = Buffer.alloc(64 * 1024, 'x');
    const more = () => {
      while (this.bodyBytes < bytes && !response.destroyed) {
        this.bodyBytes += chunk.length;
        if (!response.write(chunk)) return;
      }
      response.end();
    };
    response.on('drain', more);
    more();
  }

  private scriptOf(request: IncomingMessage): URLSearchParams {
    const script = new URL(request.url ?? '/', 'http://receiver').searchParams;
    const header = request.headers['x-receiver'];
    if (typeof header === 'string') {
      for (const [name, value] of new URLSearchParams(header)) script.set(name, value);
    }
    if (script.get('once') !== 'yes') return script;
    const key = keyOf(request);
    if (this.seen.has(key)) return new URLSearchParams();
    this.seen.add(key);
    return script;
  }

  private notify(): void {
    const waiting = [...this.waiting];
    this.waiting.clear();
    for (const resolve of waiting) resolve();
  }
}

function keyOf(request: IncomingMessage): string {
  return String(request.headers['idempotency-key'] ?? '');
}

function silent(script: URLSearchParams): boolean {
  return script.get('drop') === 'yes' || script.get('hang') === 'yes';
}
