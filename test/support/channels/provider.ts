import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { systemClock } from '../../../topology/core/clock';

/** One call as the provider saw it. Times are epoch milliseconds. */
export interface Call {
  readonly kind: 'message' | 'question';
  readonly key: string;
  /** When the whole request was in. */
  readonly at: number;
  /** When the message was taken; null while it is not. */
  acceptedAt: number | null;
  /** The answer to a question. */
  readonly found: boolean;
}

/**
 * A provider: `POST /messages` takes the message of an `Idempotency-Key`, and every one that comes under it; `GET
 * /messages/<key>` says whether it was taken (200 or 404). The query says what it does to the first request of a key:
 *
 * - `first=drop`: the connection is cut; `first=error`: 500; `first=hang`: no answer; `first=endless`: the body of the 200
 *   never ends; `first=slow`: 200 after `delay` milliseconds
 * - `take=800`: the message is taken so many milliseconds after it arrived, and not at once; `take=never`
 * - `dedupe=yes`, for all of them: a message that it has is not taken again
 */
export class Provider {
  private readonly calls = new Map<string, Call[]>();
  private readonly sockets = new Set<Socket>();

  private constructor(private readonly server: Server) {
    server.on('request', (request, response) => void this.take(request, response));
    server.on('connection', (socket) => {
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
    });
  }

  static async start(): Promise<Provider> {
    const provider = new Provider(createServer({ keepAliveTimeout: 60_000 }));
    // A burst opens hundreds of connections at once. Those that find no room wait for seconds, as if nobody answered.
    provider.server.listen(0, '127.0.0.1', 4_096);
    await once(provider.server, 'listening');
    return provider;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Messages and questions under this key, in the order in which they came. */
  callsOf(key: string): readonly Call[] {
    return this.calls.get(key) ?? [];
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => {
      this.server.close(resolve);
    });
  }

  private async take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      for await (const _ of request);
    } catch {
      return;
    }
    const { pathname, searchParams: script } = new URL(request.url ?? '/', 'http://provider');
    if (request.method === 'GET') {
      const key = pathname.slice('/messages/'.length);
      const found = this.has(key);
      this.note({ kind: 'question', key, found });
      response.writeHead(found ? 200 : 404, { 'webhook-receipt': key }).end();
      return;
    }
    const key = String(request.headers['idempotency-key']);
    const isFirst = this.callsOf(key).every(({ kind }) => kind !== 'message');
    const call = this.note({ kind: 'message', key, found: false });
    const after = isFirst ? (script.get('take') ?? '0') : '0';
    if (after === '0') this.accept(call, script);
    else if (after !== 'never') systemClock.after(Number(after), () => this.accept(call, script));
    await this.answer(isFirst ? script : new URLSearchParams(), request, response);
  }

  private async answer(script: URLSearchParams, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const first = script.get('first');
    if (first === 'drop') request.socket.destroy();
    else if (first === 'error') response.writeHead(500).end();
    else if (first === 'endless') response.writeHead(200).write('begun');
    else if (first !== 'hang') {
      if (first === 'slow') await systemClock.sleep(Number(script.get('delay')));
      response.end();
    }
  }

  private accept(call: Call, script: URLSearchParams): void {
    if (script.get('dedupe') !== 'yes' || !this.has(call.key)) call.acceptedAt = systemClock.now();
  }

  private has(key: string): boolean {
    return this.callsOf(key).some(({ acceptedAt }) => acceptedAt !== null);
  }

  private note(call: Omit<Call, 'at' | 'acceptedAt'>): Call {
    const noted: Call = { ...call, at: systemClock.now(), acceptedAt: null };
    this.calls.set(call.key, [...this.callsOf(call.key), noted]);
    return noted;
  }
}
