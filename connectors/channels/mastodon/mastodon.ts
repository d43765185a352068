import { z } from 'zod';
import type { Outcome } from '../../../topology/message';
import type { Payload } from '../../../topology/payloads/payloads';
import type { WhoAmI } from '../channel-kind';
import { credentialFields } from '../credentials';
import type { Reply } from '../http/reply';
import { type ApiRequest, isUnanswered } from '../provider/api';
import { providerKind } from '../provider/provider-channel';
import { findStatus } from './mastodon-lookup';
import { type MastodonCredentials, type MastodonStatus, urlOf } from './mastodon-status';

const MINUTE_MS = 60_000;
/** The server keeps a key for an hour after the first request ended; some of that is left to clocks that differ. */
const KEY_LIFETIME_MS = 55 * MINUTE_MS;
/** A request that nobody waits for any more may run on in the server for so long. */
const ACCEPTED_LATE_MS = 45_000;

const credentials = z.strictObject({
  instance: z
    .url({ protocol: /^https?$/, error: 'expected the https URL of the server' })
    .max(255)
    .refine(isServer, 'expected the https URL of the server, such as https://mastodon.social, and nothing behind it')
    .register(credentialFields, { prompt: 'Server, such as https://mastodon.social', isSecret: false }),
  token: z
    .string()
    .regex(/^[\x21-\x7e]{8,1024}$/, 'expected an access token with write:statuses and read')
    .register(credentialFields, { prompt: 'Access token', isSecret: true }),
});

/** Posts on servers of Mastodon's. What the answers mean is in docs/channels.md. */
export const mastodon = providerKind({
  name: 'mastodon',
  class: 'idempotent',
  keyLifetimeMs: KEY_LIFETIME_MS,
  acceptedLateMs: ACCEPTED_LATE_MS,
  credentials,
  originOf: ({ instance }) => new URL(instance).origin,
  prepare: statusOf,
  async send(status, { credentials: account, publish, idempotencyKey, now }) {
    const ended = await publish({
      ...requestTo(account, 'POST', '/api/v1/statuses', { 'idempotency-key': idempotencyKey }),
      json: status,
    });
    return isUnanswered(ended) ? ended : meaningOf(ended, now());
  },
  lookup: findStatus,
  async whoAmI({ credentials: account, ask }): Promise<WhoAmI> {
    const ended = await ask(requestTo(account, 'GET', '/api/v1/accounts/verify_credentials'));
    if (isUnanswered(ended)) return { kind: 'no', reason: ended === 'not_started' ? 'interrupted' : ended.reason };
    const { acct } = (ended.json() ?? {}) as { acct?: unknown };
    if (ended.isOk && typeof acct === 'string') {
      return { kind: 'ok', name: `@${ended.shown(acct)}@${new URL(account.instance).host}` };
    }
    return { kind: 'no', reason: `HTTP ${ended.status}: ${errorOf(ended)}` };
  },
});

/** The body of the request: a function of the row alone, so that each attempt has the same. */
function statusOf({ text, replyTo, visibility, spoiler, language }: Payload<'mastodon'>): MastodonStatus {
  return {
    status: text,
    ...(replyTo === undefined ? {} : { in_reply_to_id: replyTo }),
    ...(visibility === undefined ? {} : { visibility }),
    ...(spoiler === undefined ? {} : { spoiler_text: spoiler }),
    ...(language === undefined ? {} : { language }),
  };
}

/** What the server's answer means, with a sentence for those who ask why. */
function meaningOf(reply: Reply, now: number): Outcome {
  const { status } = reply;
  const said = errorOf(reply);
  if (reply.isOk) {
    const { url, uri, id } = (reply.json() ?? {}) as { url?: unknown; uri?: unknown; id?: unknown };
    const receipt = [url, uri, id].find((one) => typeof one === 'string');
    if (receipt !== undefined) return { kind: 'delivered', status, receipt: reply.shown(receipt) };
    return { kind: 'unknown', status, reason: `The server answered HTTP ${status} without a post: ${said}` };
  }
  if (status === 401) {
    const reason = `The server does not take the account's access token any more (HTTP 401: ${said}). Connect the account again`;
    return { kind: 'unusable', status, reason };
  }
  if (status === 429) {
    const afterMs = reply.waitMs('x-ratelimit-reset', now) ?? reply.waitMs('retry-after', now);
    const reason = 'The account has posted as often as its server allows for now (HTTP 429)';
    return { kind: 'retry', status, reason, ...(afterMs === undefined ? {} : { afterMs }) };
  }
  if (status >= 500) {
    return { kind: 'unknown', status, reason: `The server failed (HTTP ${status}: ${said}); it may have the post` };
  }
  if (status === 422 && /not finished processing/i.test(said)) {
    return { kind: 'retry', status, reason: `The server still works on the media (HTTP 422: ${said})` };
  }
  return { kind: 'rejected', status, reason: `${refusalOf(status)} (HTTP ${status}: ${said})` };
}

function refusalOf(status: number): string {
  if (status >= 300 && status < 400) return "The server is at another address; correct the account's server";
  if (status === 403) return 'The server does not let the account post';
  if (status === 404) return 'The post that it answers is not there, or the account may not see it';
  return 'The server does not take the post';
}

/** What the server says of an error, else the beginning of what it said. */
function errorOf(reply: Reply): string {
  const { error } = (reply.json() ?? {}) as { error?: unknown };
  return reply.shown(error) || 'no reason given';
}

function requestTo(
  account: MastodonCredentials,
  method: ApiRequest['method'],
  path: string,
  headers: Readonly<Record<string, string>> = {},
): ApiRequest {
  return { method, url: urlOf(account, path), headers: { authorization: `Bearer ${account.token}`, ...headers } };
}

/** A token must not travel in clear; on this machine it may. */
function isServer(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const url = new URL(text);
  const isBare = url.pathname === '/' && url.search === '' && url.hash === '' && url.username === '';
  return isBare && (url.protocol === 'https:' || url.hostname === 'localhost' || url.hostname === '127.0.0.1');
}
