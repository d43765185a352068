import type { KeyObject } from 'node:crypto';
import type { AttemptContext, Channel } from '../../../bolts/channel';
import type { Clock } from '../../../topology/core/clock';
import { reasonOf } from '../../../topology/core/errors';
import type { Outcome } from '../../../topology/message';
import { AccountSecrets, type SecretsOf } from '../account-secrets';
import { AttemptsUnderWay } from '../http/attempts-under-way';
import { Exchange, type ExchangeResult } from '../http/exchange';
import { OriginPools } from '../http/origin-pools';
import { AddressRefused, connector } from '../http/public-addresses';
import { Redaction } from '../http/redaction';
import { answerOf, outcomeOf } from './webhook-outcome';
import { parseRequest, type WebhookRequest } from './webhook-request';
import { sign, signingKey } from './webhook-signature';

export interface WebhookOptions {
  /** Of one request from the call to the status, connecting included. Milliseconds. */
  readonly timeoutMs: number;
  /** Connections to one origin. */
  readonly perOrigin: number;
  readonly clock: Clock;
  readonly allowPrivateAddresses: boolean;
  readonly secretsOf: SecretsOf;
}

/** Codes of undici's for requests that no server was asked about, because they cannot be written down as HTTP. */
const IMPOSSIBLE = new Set(['UND_ERR_INVALID_ARG', 'UND_ERR_NOT_SUPPORTED', 'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH']);

/**
 * POSTs to the address in the payload. Idempotent by contract: every attempt of a message carries the same `webhook-id` and
 * `Idempotency-Key`, by which the receiver de-duplicates.
 *
 * 1. *A request that was not written is tried again; one that was written and not answered is unknown.*
 * 2. *The status decides the outcome*: the channel waits for 64 kB of the body and for one second, and no longer.
 * 3. *Private addresses are refused, unless they are allowed*, at the moment of connecting. Redirects are not followed.
 * 4. *An account that has a secret never sends unsigned.*
 */
export class WebhookChannel implements Channel<WebhookRequest> {
  readonly name = 'webhook';
  readonly class = 'idempotent';
  readonly acceptedWithin: number;
  private readonly pools: OriginPools;
  private readonly underWay: AttemptsUnderWay;
  private readonly secrets: AccountSecrets<KeyObject | 'malformed'>;
  private readonly monotonic: () => number;
  private closed = false;

  constructor(private readonly options: WebhookOptions) {
    const { clock, timeoutMs } = options;
    this.acceptedWithin = timeoutMs;
    this.monotonic = () => clock.monotonic();
    this.pools = new OriginPools(options.perOrigin, connector(timeoutMs, options.allowPrivateAddresses));
    this.underWay = new AttemptsUnderWay(clock, timeoutMs);
    this.secrets = new AccountSecrets(options.secretsOf, (secret) => signingKey(secret) ?? 'malformed', clock);
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
        known = await this.secrets.ensure(request.account);
      } catch (error) {
        return { kind: 'retry', reason: `the account's secret could not be read: ${reasonOf(error)}` };
      }
    }
    const key = known.value;
    if (key === 'malformed') {
      return { kind: 'rejected', reason: "the account's secret is not a Standard Webhooks secret (whsec_ and base64)" };
    }
    const ended = await this.exchange(request, attempt, key);
    return this.judge(request, ended, attempt.now());
  }

  async close(): Promise<void> {
    this.closed = true;
    this.underWay.close();
    await this.pools.destroy();
  }

  private exchange(
    request: WebhookRequest,
    attempt: AttemptContext,
    key: KeyObject | undefined,
  ): Promise<ExchangeResult> {
    const { idempotencyKey } = attempt;
    const headers = [...request.headers, 'webhook-id', idempotencyKey, 'idempotency-key', idempotencyKey];
    if (key !== undefined) {
      const timestamp = Math.floor(attempt.now() / 1_000);
      const signature = sign(key, idempotencyKey, timestamp, request.body);
      headers.push('webhook-timestamp', String(timestamp), 'webhook-signature', signature);
    }
    return new Promise((resolve) => {
      const exchange = new Exchange(
        this.monotonic() + this.options.timeoutMs,
        attempt.mayStart,
        this.monotonic,
        (ended) => {
          this.underWay.remove(exchange);
          resolve(ended);
        },
      );
      this.underWay.add(exchange);
      const { path, method, body } = request;
      this.pools.get(request.origin).dispatch({ path, method, headers, body, idempotent: false }, exchange);
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
    if (ended.why === 'expired') return { kind: 'retry', reason: `${request.origin}: no connection ${late}` };
    if (ended.error instanceof AddressRefused) return { kind: 'rejected', reason: ended.error.message };
    const reason = `${request.origin}: ${connectionError(ended.error)}`;
    const code = (ended.error as { code?: string } | undefined)?.code ?? '';
    return IMPOSSIBLE.has(code) ? { kind: 'rejected', reason } : { kind: 'retry', reason };
  }
}

/** What a socket, the resolver or undici says. An error for several addresses has no text of its own. */
function connectionError(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return error.errors.map(reasonOf).join(', ');
  return reasonOf(error);
}
