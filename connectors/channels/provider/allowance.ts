import { createHash } from 'node:crypto';
import type { Hold, Outcome } from '../../../topology/message';
import type { Reply } from '../http/reply';

/**
 * What a refusal says of which every request of the account would be the next one.
 * @param afterMs how long the provider asks us to wait; undefined when it does not say
 */
export function heldFor(
  afterMs: number | undefined,
  of: Hold['of'] = 'account',
): { readonly afterMs?: number; readonly hold?: Hold } {
  return afterMs === undefined ? {} : { afterMs, hold: { of, ms: afterMs } };
}

/**
 * What an answer says whose headers tell that nothing more is taken until a time: the next request would be refused.
 * @param remaining the header with what is left, and `reset` that with when there is more
 * @param cost of one request
 */
export function holdIn(
  reply: Reply,
  { remaining, reset, now, cost = 1 }: { remaining: string; reset: string; now: number; cost?: number },
): { readonly hold?: Hold } {
  const left = reply.header(remaining);
  if (left === undefined || !/^\s*\d+\s*$/.test(left) || Number(left) >= cost) return {};
  const ms = reply.waitMs(reset, now);
  return ms === undefined || ms === 0 ? {} : { hold: { of: 'account', ms } };
}

/**
 * An outcome as it counts for others than its account. A server that the account's credentials name may be anybody's, so it says
 * nothing of the app: otherwise one account could hold all others.
 */
export function trusted<T extends Outcome | 'not_started'>(outcome: T, credentials: { readonly server?: unknown }): T {
  const given: Outcome | 'not_started' = outcome;
  if (given === 'not_started' || !('hold' in given) || given.hold?.of !== 'app') return outcome;
  if (credentials.server === undefined) return outcome;
  return { ...given, hold: { ...given.hold, of: 'account' } } as T;
}

const SERVER_DIGITS = 32;

/**
 * The app for which an account counts. A server that the account's credentials name may be anybody's, and takes whatever they name as
 * their app: what was sent there counts for that server's app of this name, otherwise one account could use up what all others have.
 */
export function appAt<Credentials extends { readonly server?: unknown }>(
  credentials: Credentials,
  appOf: (credentials: Credentials) => string | undefined,
  originOf: (credentials: Credentials) => string,
): string | undefined {
  const app = appOf(credentials);
  const origin = originOf(credentials);
  if (credentials.server === undefined || origin === originOf({ ...credentials, server: undefined })) return app;
  const hash = createHash('sha256')
    .update(JSON.stringify([app, origin]))
    .digest('hex')
    .slice(0, SERVER_DIGITS);
  // With a blank, which no app's own name has.
  return `at ${hash}`;
}
