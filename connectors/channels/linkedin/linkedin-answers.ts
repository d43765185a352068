import { z } from 'zod';
import type { Outcome } from '../../../topology/message';
import type { Reply } from '../http/reply';
import { heldFor } from '../provider/allowance';
import { gatewayAnswer } from '../provider/gateway-answer';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

const problem = z.object({
  message: z.string().optional(),
  code: z.string().optional(),
  serviceErrorCode: z.int().optional().catch(undefined),
  errorDetails: z
    .object({ inputErrors: z.array(z.object({ code: z.string().optional() })).optional() })
    .optional()
    .catch(undefined),
});

/** Why a token has ended, in words that LinkedIn does not say by mistake. */
const ENDED: ReadonlySet<unknown> = new Set(['REVOKED_ACCESS_TOKEN', 'EXPIRED_ACCESS_TOKEN', 65_601, 65_602]);
const URN = /urn:li:(?:share|ugcPost|activity):\d+/;

/** What is known of the attempt. */
interface Attempted {
  readonly now: number;
  readonly id: number;
}

/** What LinkedIn's answer means, with a sentence for those who ask why. */
export function meaningOf(reply: Reply, { now, id }: Attempted): Outcome {
  const { status } = reply;
  const said = `HTTP ${status}: ${wordsOf(reply)}`;
  if (reply.isOk) {
    const urn = reply.header('x-restli-id');
    if (urn !== undefined && urn !== '') return { kind: 'delivered', status, receipt: reply.shown(urn) };
    return { kind: 'unknown', status, reason: `LinkedIn answered HTTP ${status} without the URN of a post` };
  }
  if (duplicateIn(reply) !== undefined) {
    return { kind: 'rejected', status, reason: `The account has posted the same a short time ago (${said})` };
  }
  const { code = '', serviceErrorCode } = problem.safeParse(reply.json()).data ?? {};
  if (status === 401) {
    const reason = `LinkedIn does not take the account's access token any more (${said}). Connect the account again`;
    return {
      kind: 'unusable',
      status,
      reason,
      ...(ENDED.has(code) || ENDED.has(serviceErrorCode) ? { isFinal: true } : {}),
    };
  }
  if (status === 429) {
    const reason = `The account or the app has posted as often as LinkedIn allows for now (${said})`;
    return { kind: 'retry', status, reason, ...heldFor(reply.waitMs('retry-after', now) ?? untilAllowedMs(now, id)) };
  }
  if (status >= 500) {
    return { kind: 'unknown', status, reason: `LinkedIn failed (${said}); it may have the post` };
  }
  if (status === 426 || code === 'NONEXISTENT_VERSION') {
    const reason = `LinkedIn has given up this version of its API (${said}). Set a newer apiVersion in topology.yaml`;
    return { kind: 'postponed', reason };
  }
  return gatewayAnswer(reply, said) ?? { kind: 'rejected', status, reason: `${refusalOf(status)} (${said})` };
}

/** Whether LinkedIn refuses a post because it has the same, and which that is, where it says so. */
export function duplicateIn(reply: Reply): { readonly urn: string | undefined } | undefined {
  const { message = '', errorDetails } = problem.safeParse(reply.json()).data ?? {};
  const isDuplicate = errorDetails?.inputErrors?.some((error) => error.code === 'DUPLICATE_POST') === true;
  return reply.status === 422 && isDuplicate ? { urn: URN.exec(message)?.[0] } : undefined;
}

/** LinkedIn counts days, which end at midnight UTC, and does not say which limit was met. Not all come at once then. */
function untilAllowedMs(now: number, id: number): number {
  return Math.min(HOUR_MS, DAY_MS - (now % DAY_MS) + (id % 60) * 1_000);
}

function refusalOf(status: number): string {
  if (status >= 300 && status < 400) return "The server is at another address; correct the account's server";
  if (status === 403) return 'LinkedIn does not let the account post for this author';
  return 'LinkedIn does not take the post';
}

/** What LinkedIn says of an error, else the beginning of what it said. */
export function wordsOf(reply: Reply): string {
  const { message } = (reply.json() ?? {}) as { message?: unknown };
  return reply.shown(message) || 'no reason given';
}
