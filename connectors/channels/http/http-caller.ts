import { Readable } from 'node:stream';
import type { Clock } from '../../../topology/core/clock';
import { AttemptsUnderWay } from './attempts-under-way';
import { type Answered, type AnswerLimits, Exchange, type ExchangeResult, SHORT_ANSWER } from './exchange';
import { Network, type NetworkSettings } from './network';
import { OriginPools } from './origin-pools';
import { authorizationFor } from './proxy-tunnels';
import { connectionError, type Undelivered, unreachable } from './unreachable';

/** A request before it is written. */
export interface HttpRequest {
  readonly account: string;
  /** Scheme, host and port, e.g. `https://example.com`. */
  readonly origin: string;
  /** As in a URL: an IPv6 address has brackets. */
  readonly hostname: string;
  readonly method: 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'GET';
  /** Path and query. */
  readonly path: string;
  /** The length of a stream is among the headers, which are written with its first chunk: a moment after `mayStart` was asked. */
  readonly body: Buffer | string | Readable | null;
  /** Of a stream. */
  readonly bodyBytes?: number;
  /** How much longer than the time-out it may take, because much is sent. Milliseconds. */
  readonly allowMs?: number;
  /** When it ends at the latest, monotonic milliseconds. */
  readonly notAfter?: number;
}

/**
 * How a call ended: with an answer, which the channel has to read; with what it means that there is none; or without a request,
 * because `mayStart` said no or the caller is closed.
 */
export type CallEnd = Answered | Undelivered | 'not_started';

/** An answer whose body the caller reads, or destroys; errors of it are the caller's to take. */
export interface OpenAnswer {
  readonly kind: 'open';
  readonly status: number;
  /** Names in small letters. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Readable;
}

export interface HttpCallerOptions {
  /** Of one request from the call to the status, connecting included. Milliseconds. */
  readonly timeoutMs: number;
  /** Connections to one origin. */
  readonly perOrigin: number;
  readonly clock: Clock;
  readonly network: NetworkSettings;
}

type Opened = OpenAnswer | Exclude<CallEnd, Answered>;

const PROXY_AUTHENTICATION_REQUIRED = 407;

/**
 * Makes the requests of a channel: names and addresses, proxies, connections, time-outs, and whether a request was written.
 *
 * 1. *A request that was not written whole is tried again; one that was and is not answered is unknown.*
 * 2. *Private addresses are refused, unless they are allowed*: see Network. Redirects are not followed. A direct connection leads
 *    to an address that was judged; a proxy resolves names itself, so through one they are judged at each request.
 */
export class HttpCaller {
  private readonly network: Network;
  private readonly pools: OriginPools;
  private readonly underWay: AttemptsUnderWay;
  private readonly monotonic: () => number;
  private closed = false;

  constructor(private readonly options: HttpCallerOptions) {
    const { clock, timeoutMs, network, perOrigin } = options;
    this.monotonic = () => clock.monotonic();
    this.network = new Network({ settings: network, clock, connectMs: timeoutMs });
    this.pools = new OriginPools({ connections: perOrigin, connect: this.network.connect, monotonic: this.monotonic });
    this.underWay = new AttemptsUnderWay(clock, timeoutMs);
  }

  /**
   * @param headersOf names and values in turn; called when the host can be reached, because a signature has a time
   * @param mayStart asked once, in the tick of the write
   */
  async call(
    request: HttpRequest,
    headersOf: () => string[],
    mayStart: () => boolean,
    limits: AnswerLimits = SHORT_ANSWER,
  ): Promise<CallEnd> {
    if (this.closed) return 'not_started';
    const { method, body, origin, account, allowMs = 0, notAfter = Number.POSITIVE_INFINITY } = request;
    const deadline = Math.min(this.monotonic() + this.options.timeoutMs + allowMs, notAfter);
    const proxy = this.network.proxyFor(origin);
    if (proxy !== undefined || !this.pools.isConnected(origin)) {
      const obstacle = await this.obstacleTo(request, proxy !== undefined);
      if (obstacle !== undefined) return obstacle;
    }
    const headers = headersOf();
    const path = pathFor(request, proxy, headers);
    const ended = await new Promise<ExchangeResult>((resolve) => {
      const end = (result: ExchangeResult) => {
        this.underWay.remove(exchange);
        if (body instanceof Readable) body.destroy();
        resolve(result);
      };
      const exchange = new Exchange(deadline, mayStart, this.monotonic, end, limits, request.bodyBytes);
      this.underWay.add(exchange);
      this.pools.get(origin, account).dispatch({ path, method, headers, body, idempotent: false }, exchange);
    });
    if (ended.kind !== 'answered') return this.meaningOf(ended, origin);
    return isProxys(ended.status, origin, proxy) ? unauthorized(origin) : ended;
  }

  /**
   * Asks for something that may be long.
   * @param signal ends it, the reading of the body too
   */
  async open(request: HttpRequest, headers: readonly string[], signal: AbortSignal): Promise<Opened> {
    if (this.closed) return 'not_started';
    const { origin, account, method } = request;
    const proxy = this.network.proxyFor(origin);
    const obstacle = await this.obstacleTo(request, proxy !== undefined);
    if (obstacle !== undefined) return obstacle;
    const sent = [...headers];
    const path = pathFor(request, proxy, sent);
    try {
      const pool = this.pools.get(origin, account);
      const { statusCode: status, headers: given, body } = await pool.request({ method, path, headers: sent, signal });
      if (!isProxys(status, origin, proxy)) return { kind: 'open', status, headers: given, body };
      // One that is destroyed before its end says so as an error, which would end the worker if nobody listened.
      body.on('error', () => undefined).destroy();
      return unauthorized(origin);
    } catch (error) {
      if (this.closed) return 'not_started';
      return signal.aborted ? { kind: 'retry', reason: `${origin}: no answer in time` } : unreachable(error, origin);
    }
  }

  /** Ends what is under way. */
  async close(): Promise<void> {
    this.closed = true;
    this.network.close();
    await this.pools.destroy();
    // A pool forgets a client that could not connect, and that client goes on with what has waited.
    this.underWay.expireAll();
    this.underWay.close();
  }

  /** What keeps a request from its host; undefined when a connection can be tried. */
  private async obstacleTo(
    { hostname, origin, account }: HttpRequest,
    isProxied: boolean,
  ): Promise<Exclude<CallEnd, Answered> | undefined> {
    try {
      const reach = await this.network.prepare(hostname, account, isProxied);
      if (this.closed) return 'not_started';
      if (reach === 'reachable') return undefined;
      const { message: reason } = this.network.refusal(hostname);
      return { kind: reach === 'refused' ? 'rejected' : 'retry', reason };
    } catch (error) {
      return this.closed ? 'not_started' : unreachable(error, origin);
    }
  }

  private meaningOf(ended: Exclude<ExchangeResult, Answered>, origin: string): Exclude<CallEnd, Answered> {
    const late = `within ${this.options.timeoutMs} ms`;
    if (ended.kind === 'no_answer') {
      const why = ended.why === 'expired' ? `no answer ${late}` : `no usable answer: ${connectionError(ended.error)}`;
      if (ended.isWhole) return { kind: 'unknown', reason: `${origin}: ${why}` };
      return { kind: 'retry', reason: `${origin}: the request was cut before all of it was written (${why})` };
    }
    if (ended.why === 'refused' || this.closed) return 'not_started';
    if (ended.why === 'error') return unreachable(ended.error, origin);
    const reason = `${origin}: no connection ${late}`;
    // With a connection there, it was only that none was free.
    return this.pools.isConnected(origin) ? { kind: 'retry', reason } : { kind: 'retry', reason, unreachable: true };
  }
}

/** A proxy is told the whole URL of what is not encrypted, and who asks. */
function pathFor({ origin, path }: HttpRequest, proxy: URL | undefined, headers: string[]): string {
  if (proxy === undefined || !origin.startsWith('http:')) return path;
  const authorization = authorizationFor(proxy);
  if (authorization !== undefined) headers.push('proxy-authorization', authorization);
  return origin + path;
}

/** Whether an answer is the proxy's and not the receiver's. Inside a tunnel only the receiver answers. */
function isProxys(status: number, origin: string, proxy: URL | undefined): boolean {
  return status === PROXY_AUTHENTICATION_REQUIRED && proxy !== undefined && origin.startsWith('http:');
}

function unauthorized(origin: string): Undelivered {
  return { kind: 'postponed', reason: `${origin}: the proxy asks for credentials (HTTP 407)` };
}
