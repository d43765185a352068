import { z } from 'zod';
import type { Reply } from '../http/reply';
import { type ApiRequest, isUnanswered } from './api';
import { expiresAt, lifetimeSeconds, type Refreshed, type Refreshing } from './refresh';

/** Of RFC 6749: the refresh token has ended, was used or was taken back, which no time mends. */
const ENDED = 'invalid_grant';
/** What refuses the app or the request. People mend it at the provider, so it is not for good, and is not asked for often. */
const OF_THE_APP = new Set([
  'invalid_request',
  'invalid_client',
  'unauthorized_client',
  'unsupported_grant_type',
  'invalid_scope',
  'access_denied',
]);
const OF_THE_APP_MS = 1_800_000;
/** Not now, or of a server before the provider's. */
const NOT_NOW = new Set([408, 425, 429]);
/** How long to wait where the provider does not say. */
const THROTTLED_MS = 900_000;

const granted = z.object({
  access_token: z.string().min(1),
  expires_in: lifetimeSeconds,
  refresh_token: z.string().min(1).optional().catch(undefined),
});
const refused = z.object({
  error: z.string(),
  error_description: z.string().optional().catch(undefined),
});

/** What both channels' credentials have. */
interface OAuthCredentials {
  readonly token: string;
  readonly refreshToken?: string | undefined;
  readonly expiresAt?: string | undefined;
}

/**
 * Refreshes by the refresh token, as RFC 6749 §6 says.
 * @param provider its name for people
 * @param alsoEnded what else it says of a refresh token that has ended, besides `invalid_grant`
 */
export async function oauthRefreshed<Credentials extends OAuthCredentials>(
  { credentials, ask, now }: Refreshing<Credentials>,
  provider: string,
  request: ApiRequest,
  alsoEnded: readonly string[] = [],
): Promise<Refreshed<Credentials>> {
  const began = now();
  const ended = await ask(request);
  if (isUnanswered(ended)) return unanswered(ended);
  if (ended.isOk) {
    const { data } = granted.safeParse(ended.json());
    // Nothing of this answer is ever shown: it may have the tokens in it.
    if (data === undefined)
      return { kind: 'later', reason: `${provider} answered HTTP ${ended.status} without a token`, isLost: true };
    const { access_token: token, refresh_token: refreshToken = credentials.refreshToken, expires_in: seconds } = data;
    const ends = seconds === undefined ? undefined : expiresAt(began, seconds);
    return { kind: 'refreshed', credentials: { ...credentials, token, refreshToken, expiresAt: ends } };
  }
  return refusal(ended, provider, [ENDED, ...alsoEnded], now());
}

/** What it means that a refresh has no answer. */
export function unanswered(
  ended: Exclude<Awaited<ReturnType<Refreshing<never>['ask']>>, Reply>,
): Extract<Refreshed<never>, { kind: 'later' }> {
  if (ended === 'not_started') return { kind: 'later', reason: 'the worker stops' };
  return { kind: 'later', reason: ended.reason, ...(ended.kind === 'unknown' && { isLost: true }) };
}

function refusal(reply: Reply, provider: string, ended: readonly string[], now: number): Refreshed<never> {
  const { status } = reply;
  const { data } = refused.safeParse(reply.json());
  const words = [data?.error, data?.error_description].filter((one) => one !== undefined).join(': ');
  // Nothing else of the body: an answer that is no refusal may have the tokens in it.
  const said = `HTTP ${status}: ${reply.shown(words) || 'no reason given'}`;
  if (NOT_NOW.has(status)) {
    const afterMs = reply.waitMs('retry-after', now) ?? reply.waitMs('x-rate-limit-reset', now) ?? THROTTLED_MS;
    return { kind: 'later', reason: `${provider} refreshes no token now (${said})`, afterMs };
  }
  if (status >= 500)
    return { kind: 'later', reason: `${provider} failed to refresh the token (${said})`, isLost: true };
  if (data !== undefined && ended.includes(data.error)) {
    return {
      kind: 'refused',
      reason: `${provider} does not take the refresh token of the account (${said}). Connect the account again`,
    };
  }
  if (data !== undefined && OF_THE_APP.has(data.error)) {
    const how = 'Mend the app there; where its secret is another one, connect the account again with it';
    const reason = `${provider} does not take the app of the account, or what it asks for (${said}). ${how}`;
    return { kind: 'later', reason, afterMs: OF_THE_APP_MS };
  }
  return { kind: 'later', reason: `${provider} does not say why it refreshes no token (${said})` };
}
