import type { Outcome } from '../../../topology/message';
import type { Reply } from '../http/reply';
import { heldFor } from '../provider/allowance';
import { gatewayAnswer } from '../provider/gateway-answer';

/** Words of the server's that say that a session has ended. */
const ENDED = new Set(['ExpiredToken', 'InvalidToken', 'AuthMissing', 'AuthenticationRequired']);
const BLOCKED = new Set(['AccountTakedown', 'AccountSuspended', 'AccountDeactivated', 'AccountNotFound']);

/** Whether the server wants another session: nothing was taken. */
export function isSessionOver(reply: Reply): boolean {
  // A 400 without a word is a gateway's.
  const word = wordOf(reply) ?? (reply.status === 401 ? 'AuthMissing' : '');
  return (reply.status === 400 || reply.status === 401) && ENDED.has(word);
}

/** What the answer to a post means, or to one of the questions before it, with a sentence for those who ask why. */
export function meaningOf(reply: Reply, now: number): Outcome {
  const { status } = reply;
  const said = `HTTP ${status}: ${errorOf(reply)}`;
  if (reply.isOk) return { kind: 'unknown', status, reason: `The server answered without a post (${said})` };
  if (BLOCKED.has(wordOf(reply) ?? '')) {
    return {
      kind: 'unusable',
      status,
      isFinal: true,
      reason: `The account is deactivated, taken down or gone (${said})`,
    };
  }
  if (status === 401 || isSessionOver(reply)) {
    const reason = `The server does not take the account's app password any more (${said}). Connect the account again`;
    return { kind: 'unusable', status, reason };
  }
  if (status === 429) {
    const afterMs = reply.waitMs('ratelimit-reset', now) ?? reply.waitMs('retry-after', now);
    const reason = 'The account has posted, or has been asked for, as often as its server allows for now (HTTP 429)';
    return { kind: 'retry', status, reason, ...heldFor(afterMs) };
  }
  if (status >= 500) return { kind: 'unknown', status, reason: `The server failed (${said}); it may have the post` };
  return gatewayAnswer(reply, said) ?? { kind: 'rejected', status, reason: `${refusalOf(status)} (${said})` };
}

function refusalOf(status: number): string {
  if (status >= 300 && status < 400) return "The server is at another address; correct the account's server";
  if (status === 404) return 'There is no server of Bluesky at this address';
  return 'The server does not take the post';
}

/** The word by which the server names an error. */
export function wordOf(reply: Reply): string | undefined {
  const { error } = (reply.json() ?? {}) as { error?: unknown };
  return typeof error === 'string' ? error : undefined;
}

/** What the server says of an error. Nothing else of an answer is quoted, because answers give sessions. */
export function errorOf(reply: Reply): string {
  const { message } = (reply.json() ?? {}) as { message?: unknown };
  const words = [wordOf(reply), message].filter((word) => typeof word === 'string');
  return (!reply.isOk && words.length > 0 && reply.shown(words.join(' '))) || 'no reason given';
}

/** What was asked before the post was not answered as it should be: the post was not sent. */
export function unsent(meant: Outcome): Exclude<Outcome, { kind: 'delivered' }> {
  if (meant.kind !== 'unknown' && meant.kind !== 'delivered') return meant;
  const reason = meant.kind === 'unknown' ? meant.reason : 'the server answered with something else';
  return {
    kind: 'retry',
    reason: `Before the post was sent: ${reason}`,
    ...(meant.status === undefined ? {} : { status: meant.status }),
  };
}
