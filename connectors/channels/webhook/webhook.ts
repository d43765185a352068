import type { KeyObject } from 'node:crypto';
import type { AttemptContext, Channel } from '../../../bolts/channel';
import { reasonOf, Unavailable } from '../../../topology/core/errors';
import type { Outcome } from '../../../topology/message';
import { AccountSecrets, type SecretsOf } from '../account-secrets';
import { channelKind } from '../channel-kind';
import { HttpCaller, type HttpCallerOptions } from '../http/http-caller';
import { Redaction } from '../http/redaction';
import { answerOf, outcomeOf } from './webhook-outcome';
import { parseRequest, type WebhookRequest } from './webhook-request';
import { sign, signingKey, webhookCredentials } from './webhook-signature';

export interface WebhookOptions extends HttpCallerOptions {
  readonly secretsOf: SecretsOf;
}

/**
 * POSTs to the address in the payload. Idempotent by contract: every attempt of a message carries the same `webhook-id` and
 * `Idempotency-Key`, by which the receiver de-duplicates.
 *
 * 1. *The status decides the outcome*: the channel waits for 64 kB of the body and for one second, and no longer.
 * 2. *An account that has a secret never sends unsigned, and one that a person has disabled never sends.*
 */
export class WebhookChannel implements Channel<WebhookRequest> {
  readonly name = 'webhook';
  readonly class = 'idempotent';
  readonly acceptedWithin: number;
  private readonly caller: HttpCaller;
  private readonly secrets: AccountSecrets<readonly KeyObject[]>;

  constructor(options: WebhookOptions) {
    this.acceptedWithin = options.timeoutMs;
    this.caller = new HttpCaller(options);
    this.secrets = new AccountSecrets(options.secretsOf, signingKeys, options.clock);
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
    let known = this.secrets.get(request.account);
    if (known === undefined) {
      try {
        known = await this.secrets.ask(request.account);
      } catch (error) {
        return { kind: 'postponed', reason: `the account's secret could not be read: ${reasonOf(error)}` };
      }
    }
    const { value: keys, blocked, generation } = known;
    if (blocked !== undefined) return { kind: 'unusable', reason: blocked, generation };
    const ended = await this.caller.call(request, () => headersOf(request, attempt, keys), attempt.mayStart);
    if (ended === 'not_started' || ended.kind !== 'answered') return ended;
    const redaction = () => new Redaction(request.headers);
    return outcomeOf(answerOf(ended.status, ended.headers, ended.body, redaction), attempt.now());
  }

  close(): Promise<void> {
    return this.caller.close();
  }
}

/** @param keys of the account's secrets; undefined when it has none */
function headersOf(
  request: WebhookRequest,
  { idempotencyKey, now }: AttemptContext,
  keys: readonly KeyObject[] | undefined,
): string[] {
  const headers = [...request.headers, 'webhook-id', idempotencyKey, 'idempotency-key', idempotencyKey];
  if (keys === undefined) return headers;
  const timestamp = Math.floor(now() / 1_000);
  headers.push(
    'webhook-timestamp',
    String(timestamp),
    'webhook-signature',
    sign(keys, idempotencyKey, timestamp, request.body),
  );
  return headers;
}

/**
 * An earlier one that cannot sign never did, so receivers do not miss it.
 * @throws Unavailable when the newest cannot sign: whoever set it has to set another
 */
function signingKeys(secrets: readonly string[]): readonly KeyObject[] {
  const keys = secrets.map(signingKey);
  if (keys[0] === undefined) {
    throw new Unavailable(
      'it cannot sign, because it is not a Standard Webhooks secret (whsec_ and base64); set another one with `downspout accounts set`',
    );
  }
  return keys.filter((key) => key !== undefined);
}

export const webhook = channelKind({
  name: 'webhook',
  class: 'idempotent',
  credentials: webhookCredentials,
  keepsEarlier: true,
  build: ({ timeoutMs, perOrigin }, { clock, network, secretsOf }) =>
    new WebhookChannel({
      timeoutMs,
      perOrigin,
      clock,
      network,
      secretsOf: (accounts) => secretsOf('webhook', accounts),
    }),
});
