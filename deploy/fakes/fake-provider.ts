import { once } from 'node:events';
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { z } from 'zod';
import type { Clock } from '../../topology/core/clock';

/** A request as a fake reads it. */
export interface FakeRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface FakeAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json: unknown;
}

/**
 * What goes wrong with a request. `vanish` and `fail`: nothing is taken, and the connection is cut, or the answer is 503. `drop`,
 * `error`, `hang`: the request is taken, and the connection is cut, the answer is 500, or none comes. `slow`: it is taken, and the
 * answer comes late. `late`: it is taken late, and the connection is cut at once. `throttle`: the answer is the provider's 429.
 * `babble`: nothing is taken, and the answer is no HTTP. `quote`: nothing is taken, and the answer quotes the whole request.
 */
const mishaps = ['vanish', 'fail', 'drop', 'error', 'hang', 'slow', 'late', 'throttle', 'babble', 'quote'] as const;
/**
 * What it is answered in the provider's own words, and nothing is taken. `expire`, `revoke`: its token has ended, or was taken back.
 * `duplicate`: there is such a message already.
 */
const refusals = ['expire', 'revoke', 'duplicate'] as const;
type Refusal = (typeof refusals)[number];
type Mishap = (typeof mishaps)[number];

const orderSchema = z.strictObject({
  do: z.enum([...mishaps, ...refusals]),
  /** What it happens to: requests that would make something visible, uploads of media for them, or refreshes of tokens. */
  to: z.enum(['message', 'upload', 'refresh']).default('message'),
  /** How many requests it happens to. */
  times: z.int().min(1).max(1_000_000).default(1),
  /** Only to requests whose body has this text. */
  match: z.string().default(''),
  /** Of `slow`, `late` and `throttle`, milliseconds. */
  afterMs: z.int().min(0).max(3_600_000).default(1_000),
});
/** What becomes of media that are uploaded from now on: they are in work for so many questions, or, unless 0, cannot be used. */
const workSchema = z.strictObject({ do: z.enum(['stall', 'spoil']), times: z.int().min(0).max(1_000_000).default(1) });
export type FakeWork = z.output<typeof workSchema>;
/** The keys of messages with this text are known no more, as if their time were over. */
const forgetSchema = z.strictObject({ do: z.literal('forget'), match: z.string().default('') });

/** An order to misbehave. Questions are always answered. */
export type FakeOrder = z.input<typeof orderSchema>;
type Order = z.output<typeof orderSchema>;
/** What happens to one message. */
export type FakeMishap = Pick<Order, 'do' | 'afterMs'>;

/** What a provider's own fake adds. */
export interface FakeProtocol {
  readonly name: string;
  /** Whether a request would make something visible. */
  readonly publishes: (request: FakeRequest) => boolean;
  /** Whether a request uploads media, of which nobody sees anything yet. */
  readonly uploads?: (request: FakeRequest) => boolean;
  /** Whether a request asks for a new token. */
  readonly refreshes?: (request: FakeRequest) => boolean;
  /** What an order matches of a message, where the request that makes it visible does not have it. */
  readonly contentOf?: (request: FakeRequest) => Buffer;
  /** Where it works on media after their upload: what becomes of the next ones. */
  readonly works?: (work: FakeWork) => void;
  /** Validates the request strictly, and does what it asks for. */
  readonly handle: (request: FakeRequest) => Promise<FakeAnswer>;
  /** What it says, of what it may refuse. */
  readonly says?: Readonly<Partial<Record<Refusal, FakeAnswer>>>;
  /** Where it knows messages by their keys for a time. */
  readonly forgets?: (match: string) => void;
  /** The provider's own "not now". */
  readonly throttled: (afterMs: number) => FakeAnswer;
  /** What it has, for those who look: posts, or whatever the provider calls them. */
  readonly posts: () => readonly unknown[];
}

const MAX_ORDERS = 1_000;
const MAX_CALLS = 100_000;
/** Where it takes orders and shows what it has. */
const CONTROL = '/fake/';

/**
 * An HTTP server that speaks one provider's protocol, validates strictly and misbehaves on command. It listens on this machine
 * only. `POST /fake/orders` takes an order, `GET /fake/posts` shows what was taken; tests call the same by methods.
 */
export class FakeProvider {
  /** Requests in the order in which they came, those for control left out; the last ones when there are very many. */
  readonly calls: FakeRequest[] = [];
  private orders: Order[] = [];
  private readonly sockets = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    private readonly protocol: FakeProtocol,
    private readonly clock: Clock,
  ) {
    server.on('request', (request, response) => void this.take(request, response));
    server.on('connection', (socket) => {
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
    });
  }

  /** @param port 0 for any free one */
  static async start(protocol: FakeProtocol, clock: Clock, port = 0): Promise<FakeProvider> {
    const server = createServer({ keepAliveTimeout: 60_000 });
    const fake = new FakeProvider(server, protocol, clock);
    server.listen(port, '127.0.0.1', 4_096);
    await once(server, 'listening');
    return fake;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** The next requests that match go wrong. @throws when its provider has no such thing */
  order(order: FakeOrder): void {
    const parsed = orderSchema.parse(order);
    if (!this.has(parsed.do)) throw new Error(this.lacks(parsed.do));
    if (this.orders.length < MAX_ORDERS) this.orders.push(parsed);
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => {
      this.server.close(resolve);
    });
  }

  private async take(message: IncomingMessage, response: ServerResponse): Promise<void> {
    let body: Buffer;
    try {
      body = await buffer(message);
    } catch {
      return;
    }
    const { pathname: path, searchParams: query } = new URL(message.url ?? '/', 'http://fake');
    const request: FakeRequest = { method: message.method ?? '', path, query, headers: message.headers, body };
    if (path.startsWith(CONTROL)) {
      answer(response, this.control(request));
      return;
    }
    this.calls.push(request);
    if (this.calls.length > MAX_CALLS) this.calls.shift();
    const order = this.orderFor(request);
    if (order === undefined) answer(response, await this.protocol.handle(request));
    else await this.misbehave(order, request, response);
  }

  private orderFor(request: FakeRequest): FakeMishap | undefined {
    const { protocol } = this;
    if (protocol.publishes(request)) return this.nextOrder(protocol.contentOf?.(request) ?? request.body);
    if (protocol.refreshes?.(request) === true) return this.nextOrder(request.body, 'refresh');
    return protocol.uploads?.(request) === true ? this.nextOrder(request.body, 'upload') : undefined;
  }

  /**
   * The order for a message, or an upload, with this body, if there is one: it is used up once.
   * @param isMeant of those orders that are for such a request, which
   */
  nextOrder(
    body: Buffer,
    to: Order['to'] = 'message',
    isMeant: (order: FakeMishap) => boolean = () => true,
  ): FakeMishap | undefined {
    const index = this.orders.findIndex(
      (one) => one.to === to && (one.match === '' || body.includes(one.match)) && isMeant(one),
    );
    const order = this.orders[index];
    if (order === undefined) return undefined;
    if (order.times > 1) this.orders[index] = { ...order, times: order.times - 1 };
    else this.orders.splice(index, 1);
    return order;
  }

  private async misbehave(order: FakeMishap, request: FakeRequest, response: ServerResponse): Promise<void> {
    const { protocol, clock } = this;
    if (isRefusal(order.do)) return answer(response, protocol.says?.[order.do] as FakeAnswer);
    const cut = () => response.socket?.destroy();
    const happens: Readonly<Record<Mishap, () => unknown>> = {
      vanish: cut,
      fail: () => answer(response, { status: 503, json: { error: 'Service Unavailable' } }),
      babble: () => response.socket?.end('SSH-2.0-OpenSSH_9.2\r\n'),
      quote: () =>
        answer(response, {
          status: 400,
          json: { error: JSON.stringify({ path: request.path, ...request.headers, body: String(request.body) }) },
        }),
      throttle: () => answer(response, protocol.throttled(order.afterMs)),
      drop: () => protocol.handle(request).then(cut),
      error: () =>
        protocol.handle(request).then(() => answer(response, { status: 500, json: { error: 'went wrong' } })),
      hang: () => protocol.handle(request),
      slow: async () => {
        const ready = await protocol.handle(request);
        await clock.sleep(order.afterMs);
        answer(response, ready);
      },
      late: async () => {
        cut();
        await clock.sleep(order.afterMs);
        await protocol.handle(request);
      },
    };
    await happens[order.do]();
  }

  private control({ method, path, body }: FakeRequest): FakeAnswer {
    if (method === 'GET' && path === `${CONTROL}posts`) return { status: 200, json: this.protocol.posts() };
    if (method !== 'POST' || path !== `${CONTROL}orders`) return { status: 404, json: { error: 'unknown' } };
    const { works, forgets } = this.protocol;
    const work = workSchema.safeParse(jsonOf(body));
    if (work.success) return this.obey(work.data, works && (() => works.call(this.protocol, work.data)));
    const forget = forgetSchema.safeParse(jsonOf(body));
    if (forget.success) {
      return this.obey(forget.data, forgets && (() => forgets.call(this.protocol, forget.data.match)));
    }
    const order = orderSchema.safeParse(jsonOf(body));
    if (!order.success) return { status: 400, json: { error: z.prettifyError(order.error) } };
    return this.obey(order.data, this.has(order.data.do) ? () => this.order(order.data) : undefined);
  }

  /** @param act undefined where its provider has no such thing */
  private obey(order: { readonly do: string }, act: (() => void) | undefined): FakeAnswer {
    if (act === undefined) return { status: 400, json: { error: this.lacks(order.do) } };
    act();
    return { status: 200, json: order };
  }

  private has(what: Order['do']): boolean {
    return !isRefusal(what) || this.protocol.says?.[what] !== undefined;
  }

  private lacks(what: string): string {
    return `${this.protocol.name} has no "${what}"`;
  }
}

function isRefusal(what: string): what is Refusal {
  return refusals.some((refusal) => refusal === what);
}

/** @returns undefined when it is no JSON */
export function jsonOf(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch {
    return undefined;
  }
}

function answer(response: ServerResponse, { status, headers = {}, json }: FakeAnswer): void {
  if (response.destroyed) return;
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', ...headers });
  response.end(JSON.stringify(json));
}
