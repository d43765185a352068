import { z } from 'zod';
import type { Reply } from '../http/reply';
import { isUnanswered } from '../provider/api';
import { unanswered } from '../provider/oauth-refresh';
import { expiresAt, lifetimeSeconds, type Refresh, type Refreshed } from '../provider/refresh';
import { wordsOf } from './container-answers';
import { graphErrorIn } from './graph-error';
import { regainMs } from './graph-usage';

const DAY_MS = 86_400_000;
/** Where Meta does not say so. */
const LIFETIME_SECONDS = (60 * DAY_MS) / 1_000;
/** Tokens live for sixty days. Meta refreshes those only that are a day old at least, and live still. */
const AHEAD_MS = 14 * DAY_MS;
/** The session, or the access token, is not taken. */
const CREDENTIALS = new Set([102, 190]);
/** Where tokens of Facebook's login are taken, which cannot be refreshed without the app's secret. */
const WITHOUT_REFRESH = 'graph.facebook.com';
const THROTTLED_MS = 3_600_000;

interface RefreshableAccount {
  readonly token: string;
  readonly expiresAt?: string | undefined;
  readonly server?: string | undefined;
}

const granted = z.object({ access_token: z.string().min(1), expires_in: lifetimeSeconds });

/** How Instagram and Threads give a token for one that ends: by itself, and both live on. */
export function graphRefresh({
  provider,
  api,
  grant,
}: {
  readonly provider: string;
  readonly api: string;
  readonly grant: string;
}): Refresh<RefreshableAccount & { readonly user: string }> {
  return {
    isPossible: ({ expiresAt: ends, server = api }) =>
      ends !== undefined && new URL(server).hostname !== WITHOUT_REFRESH,
    isRotating: false,
    aheadMs: AHEAD_MS,
    async ask({ credentials, ask, now }) {
      const url = new URL('/refresh_access_token', credentials.server ?? api);
      url.searchParams.set('grant_type', grant);
      const began = now();
      // The token is in a header, because URLs get into the logs of proxies.
      const ended = await ask({ method: 'GET', url, headers: { authorization: `Bearer ${credentials.token}` } });
      if (isUnanswered(ended)) return unanswered(ended);
      const { data } = granted.safeParse(ended.json());
      if (!ended.isOk || data === undefined) return refusal(ended, provider);
      const { access_token: token, expires_in: seconds = LIFETIME_SECONDS } = data;
      return {
        kind: 'refreshed',
        credentials: { ...credentials, token, expiresAt: expiresAt(began, seconds) },
      };
    },
  };
}

function refusal(reply: Reply, provider: string): Refreshed<never> {
  const error = graphErrorIn(reply);
  if (error === undefined && reply.isOk) {
    return { kind: 'later', reason: `${provider} answered HTTP ${reply.status} without a token` };
  }
  const said = wordsOf(reply);
  // Without a word of Meta's, whoever stands before it may have answered.
  if (error !== undefined && (CREDENTIALS.has(error.code ?? 0) || reply.status === 401)) {
    const reason = `${provider} does not refresh the account's access token (${said}). Connect the account again`;
    return { kind: 'refused', reason };
  }
  const reason = `${provider} refreshes no token now (${said})`;
  const afterMs = regainMs(reply) ?? (reply.status === 429 ? THROTTLED_MS : undefined);
  return { kind: 'later', reason, ...(afterMs === undefined ? {} : { afterMs }) };
}
