import type { KeyObject } from 'node:crypto';
import type { AttemptContext, Channel } from '../../../bolts/channel';
import type { Clock } from '../../../topology/core/clock';
import { reasonOf, Unavailable } from '../../../topology/core/errors';
import type { Outcome } from '../../../topology/message';
import { AccountSecrets, type SecretsOf } from '../account-secrets';
import { channelKind } from '../channel-kind';
import { AttemptsUnderWay } from '../http/attempts-under-way';
import { Exchange, type ExchangeResult } from '../http/exchange';
import { Network, type NetworkSettings } from '../http/network';
import { OriginPools } from '../http/origin-pools';
import { authorizationFor } from '../http/proxy-tunnels';
import { Redaction } from '../http/redaction';
import { connectionError, unreachable } from '../http/unreachable';
import { answerOf, outcomeOf } from './webhook-outcome';
import { parseRequest, type WebhookRequest } from './webhook-request';
import { secretProblem, sign, signingKey } from './webhook-signature';

/** How one request leaves. */
interface Way {
  /** Monotonic milliseconds. */
  readonly deadline: number;
  /** Of the account's secrets; undefined when it has none. */
  readonly keys: readonly KeyObject[] | undefined;
  readonly proxy: URL | undefined;
}

export interface WebhookOptions {
  /** Of one request from the call to the status, connecting included. Milliseconds. */
  readonly timeoutMs: number;
  /** Connections to one origin. */
  readonly perOrigin: number;
  readonly clock: Clock;
  readonly network: NetworkSettings;
  readonly secretsOf: SecretsOf;
}

const PROXY_AUTHENTICATION_REQUIRED = 407;

/**
 * POSTs to the address in the payload. Idempotent by contract: every attempt of a message carries the same `webhook-id` and
 * `Idempotency-Key`, by which the receiver de-duplicates.
 *
 * 1. *A request that was not written is tried again; one that was written and not answered is unknown.*
 * 2. *The status decides the outcome*: the channel waits for 64 kB of the body and for one second, and no longer.
 * 3. *Private addresses are refused, unless they are allowed*: see Network. Redirects are not followed.
 * 4. *An account that has a secret never sends unsigned.*
 */
export class WebhookChannel implements Channel<WebhookRequest> {
  readonly name = 'webhook';
  readonly class = 'idempotent';
  readonly acceptedWithin: number;
  private readonly network: Network;
  private readonly pools: OriginPools;
  private readonly underWay: AttemptsUnderWay;
  private readonly secrets: AccountSecrets<readonly KeyObject[]>;
  private readonly monotonic: () => number;
  private closed = false;

  constructor(private readonly options: WebhookOptions) {
    const { clock, timeoutMs } = options;
    this.acceptedWithin = timeoutMs;
    this.monotonic = () => clock.monotonic();
    this.network = new Network({ settings: options.network, clock, connectMs: timeoutMs });
    this.pools = new OriginPools({
      connections: options.perOrigin,
      connect: this.network.connect,
      monotonic: this.monotonic,
    });
    this.underWay = new AttemptsUnderWay(clock, timeoutMs);
    this.secrets = new AccountSecrets(options.secretsOf, signingKeys, clock);
  }

  warm(accounts: readonly string[]): Promise<void> {
    return this.secrets.load(accounts);
  }

  prepare(account: string, payload: string): WebhookRequest {
    return parseRequest(account, payload);
  }

  originOf(request: WebhookRequest): string {
    return request.origin;
  }

  async send(request: WebhookRequest, attempt: AttemptContext): Promise<Outcome | 'not_started'> {
    if (this.closed) return 'not_started';
    let known = this.secrets.get(request.account);
    if (known === undefined) {
      try {
        known = await this.secrets.ask(request.account);
      } catch (error) {
        return { kind: 'postponed', reason: `the account's secret could not be read: ${reasonOf(error)}` };
      }
    }
    const deadline = this.monotonic() + this.options.timeoutMs;
    const proxy = this.network.proxyFor(request.origin);
    if (!this.pools.isConnected(request.origin)) {
      const obstacle = await this.obstacleTo(request, proxy !== undefined);
      if (obstacle !== undefined) return obstacle;
    }
    const ended = await this.exchange(request, attempt, { deadline, keys: known.value, proxy });
    if (proxy !== undefined && ended.kind === 'answered' && ended.status === PROXY_AUTHENTICATION_REQUIRED) {
      return { kind: 'postponed', reason: `${request.origin}: the proxy asks for credentials (HTTP 407)` };
    }
    return this.judge(request, ended, attempt.now());
  }

  async close(): Promise<void> {
    this.closed = true;
    this.underWay.close();
    this.network.close();
    await this.pools.destroy();
  }

  /** What keeps a request from its host; undefined when a connection can be tried. */
  private async obstacleTo(
    { hostname, origin, account }: WebhookRequest,
    isProxied: boolean,
  ): Promise<Outcome | 'not_started' | undefined> {
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

  private exchange(
    request: WebhookRequest,
    attempt: AttemptContext,
    { deadline, keys, proxy }: Way,
  ): Promise<ExchangeResult> {
    const { idempotencyKey } = attempt;
    const headers = [...request.headers, 'webhook-id', idempotencyKey, 'idempotency-key', idempotencyKey];
    if (keys !== undefined) {
      const timestamp = Math.floor(attempt.now() / 1_000);
      const signature = sign(keys, idempotencyKey, timestamp, request.body);
      headers.push('webhook-timestamp', String(timestamp), 'webhook-signature', signature);
    }
    let { path } = request;
    if (proxy !== undefined && request.origin.startsWith('http:')) {
      // A proxy is told the whole URL.
      path = request.origin + path;
      const authorization = authorizationFor(proxy);
      if (authorization !== undefined) headers.push('proxy-authorization', authorization);
    }
    return new Promise((resolve) => {
      const exchange = new Exchange(deadline, attempt.mayStart, this.monotonic, (ended) => {
        this.underWay.remove(exchange);
        resolve(ended);
      });
      this.underWay.add(exchange);
      const { method, body } = request;
      this.pools
        .get(request.origin, request.account)
        .dispatch({ path, method, headers, body, idempotent: false }, exchange);
    });
  }

  private judge(request: WebhookRequest, ended: ExchangeResult, now: number): Outcome | 'not_started' {
    if (ended.kind === 'answered') {
      const redaction = () => new Redaction(request.headers);
      return outcomeOf(answerOf(ended.status, ended.headers, ended.body, redaction), now);
    }
    const late = `within ${this.options.timeoutMs} ms`;
    if (ended.kind === 'no_answer') {
      const reason =
        ended.why === 'expired' ? `no answer ${late}` : `no usable answer: ${connectionError(ended.error)}`;
      return { kind: 'unknown', reason: `${request.origin}: ${reason}` };
    }
    if (ended.why === 'refused' || this.closed) return 'not_started';
    if (ended.why === 'expired') {
      const reason = `${request.origin}: no connection ${late}`;
      // With a connection there, it was only that none was free.
      return this.pools.isConnected(request.origin)
        ? { kind: 'retry', reason }
        : { kind: 'retry', reason, unreachable: true };
    }
    return unreachable(ended.error, request.origin);
  }
}

/** @throws Unavailable when one of them is none: whoever set it has to set another */
function signingKeys(secrets: readonly string[]): readonly KeyObject[] {
  return secrets.map((secret) => {
    const key = signingKey(secret);
    if (key !== undefined) return key;
    throw new Unavailable('it is not a Standard Webhooks secret (whsec_ and base64); set another one');
  });
}

export const webhook = channelKind({
  name: 'webhook',
  class: 'idempotent',
  secretProblem,
  build: ({ timeoutMs, perOrigin }, { clock, network, secretsOf }) =>
    new WebhookChannel({
      timeoutMs,
      perOrigin,
      clock,
      network,
      secretsOf: (accounts) => secretsOf('webhook', accounts),
    }),
});
