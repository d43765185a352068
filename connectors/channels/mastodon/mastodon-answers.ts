import type { Outcome } from '../../../topology/message';
import type { Reply } from '../http/reply';
import { heldFor, holdIn } from '../provider/allowance';
import { gatewayAnswer } from '../provider/gateway-answer';

/** Why a token has ended. The server says also that one is invalid, which it may do by mistake. */
const ENDED = /\btoken (?:was revoked|expired)\b/i;

/** What the server's answer means, with a sentence for those who ask why. */
export function meaningOf(reply: Reply, now: number): Outcome {
  const { status } = reply;
  const said = errorOf(reply);
  if (reply.isOk) {
    const { url, uri, id } = (reply.json() ?? {}) as { url?: unknown; uri?: unknown; id?: unknown };
    const receipt = [url, uri, id].find((one) => typeof one === 'string');
    const hold = holdIn(reply, { remaining: 'x-ratelimit-remaining', reset: 'x-ratelimit-reset', now });
    if (receipt !== undefined) return { kind: 'delivered', status, receipt: reply.shown(receipt), ...hold };
    return { kind: 'unknown', status, reason: `The server answered HTTP ${status} without a post: ${said}` };
  }
  if (status === 401) {
    const reason = `The server does not take the account's access token any more (HTTP 401: ${said}). Connect the account again`;
    return { kind: 'unusable', status, reason, ...(ENDED.test(said) ? { isFinal: true } : {}) };
  }
  if (status === 429) {
    const afterMs = reply.waitMs('x-ratelimit-reset', now) ?? reply.waitMs('retry-after', now);
    const reason = 'The account has posted as often as its server allows for now (HTTP 429)';
    return { kind: 'retry', status, reason, ...heldFor(afterMs) };
  }
  if (status >= 500) {
    return { kind: 'unknown', status, reason: `The server failed (HTTP ${status}: ${said}); it may have the post` };
  }
  if (status === 422 && /not finished processing/i.test(said)) {
    return { kind: 'retry', status, reason: `The server still works on the media (HTTP 422: ${said})` };
  }
  return (
    gatewayAnswer(reply, `HTTP ${status}: ${said}`) ?? {
      kind: 'rejected',
      status,
      reason: `${refusalOf(status)} (HTTP ${status}: ${said})`,
    }
  );
}

function refusalOf(status: number): string {
  if (status >= 300 && status < 400) return "The server is at another address; correct the account's server";
  if (status === 403) return 'The server does not let the account post';
  if (status === 404) return 'The post that it answers is not there, or the account may not see it';
  return 'The server does not take the post';
}

/** What the server says of an error, else the beginning of what it said. */
export function errorOf(reply: Reply): string {
  const { error } = (reply.json() ?? {}) as { error?: unknown };
  return reply.shown(error) || 'no reason given';
}
