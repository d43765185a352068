import { z } from 'zod';
import type { Hold, Outcome } from '../../../topology/message';
import type { Reply } from '../http/reply';
import { heldFor } from '../provider/allowance';
import { gatewayAnswer } from '../provider/gateway-answer';

const HOUR_MS = 3_600_000;
/** The length of X's shorter windows. */
const WINDOW_MS = 900_000;
/** Of the code with which the version of the API before this one called a duplicate. */
const DUPLICATE = 187;
/** Limit of the app by which all accounts are connected. */
const OF_APP = 'x-app-limit-24hour';
/** Limits of X's, each with headers of its own. */
const LIMITS = ['x-rate-limit', 'x-user-limit-24hour', OF_APP] as const;

const problem = z.object({
  title: z.string().optional().catch(undefined),
  detail: z.string().optional().catch(undefined),
  type: z.string().optional().catch(undefined),
  errors: z
    .array(z.object({ message: z.string().optional().catch(undefined), code: z.number().optional().catch(undefined) }))
    .optional()
    .catch(undefined),
});
const posted = z.object({ data: z.object({ id: z.string().regex(/^\d{1,19}$/) }) });

/** What X's answer means, with a sentence for those who ask why. A duplicate counts as one of another post here. */
export function meaningOf(reply: Reply, now: number): Outcome {
  const { status } = reply;
  const said = `HTTP ${status}: ${wordsOf(reply)}`;
  if (reply.isOk) {
    const { success, data } = posted.safeParse(reply.json());
    if (success) return { kind: 'delivered', status, receipt: data.data.id, ...holdOf(usedUp(reply, now)) };
    return { kind: 'unknown', status, reason: `X answered HTTP ${status} without the id of a post: ${reply.shown()}` };
  }
  if (status === 401 || isWrongToken(reply)) {
    const reason = `X does not take the account's access token any more (${said}). Connect the account again`;
    return { kind: 'unusable', status, reason, ...(status === 401 ? {} : { isFinal: true }) };
  }
  if (status === 402) {
    const reason = `The developer account has no credits left at X (${said}). Buy credits in X's developer console`;
    return { kind: 'retry', status, reason, afterMs: HOUR_MS };
  }
  if (status === 429) {
    const reason = `The account or the app has posted as often as X allows for now (${said})`;
    const limits = usedUp(reply, now);
    if (limits.length === 0 && isCapped(reply)) return { kind: 'retry', status, reason, ...heldFor(HOUR_MS, 'app') };
    const afterMs = limits.length > 0 ? Math.max(...limits.map(({ ms }) => ms)) : untilAllowedMs(reply, now);
    return { kind: 'retry', status, reason, ...heldFor(afterMs), ...holdOf(limits) };
  }
  if (status >= 500) return { kind: 'unknown', status, reason: `X failed (${said}); it may have the post` };
  const ofGateway = gatewayAnswer(reply, said);
  if (ofGateway !== undefined) return ofGateway;
  // X says of each refusal what it is: this one is of somebody between us, and says nothing of the post.
  if (status >= 400 && Object.values(problemIn(reply)).every((part) => part === undefined)) {
    return { kind: 'retry', status, reason: `A server before X's refused the request (${said})` };
  }
  return { kind: 'rejected', status, reason: `${refusalOf(reply)} (${said})` };
}

/** Whether X has such a post of the account already. It does not say which. */
export function isDuplicate(reply: Reply): boolean {
  if (reply.status !== 403) return false;
  const { detail = '', errors = [] } = problemIn(reply);
  return (
    /duplicate content/i.test(detail) ||
    errors.some(({ code, message = '' }) => code === DUPLICATE || /duplicate/i.test(message))
  );
}

/** What X says of an error, else the beginning of what it said. */
export function wordsOf(reply: Reply): string {
  const { detail, title, errors = [] } = problemIn(reply);
  const [first] = errors.flatMap(({ message }) => message ?? []);
  const parts = [detail ?? title, first].filter((part) => part !== undefined && part !== '');
  return reply.shown(parts.length === 0 ? undefined : parts.join(': ')) || 'no reason given';
}

function problemIn(reply: Reply): z.infer<typeof problem> {
  return problem.safeParse(reply.json()).data ?? {};
}

/** A token of an app alone, or of another version of OAuth. */
function isWrongToken(reply: Reply): boolean {
  return reply.status === 403 && problemIn(reply).type?.endsWith('/unsupported-authentication') === true;
}

/**
 * The limits that are used up, and for how long. X sends what is left of each with every answer. A cap on an app's use has no header,
 * and a window that ends sooner says nothing of it.
 */
function usedUp(reply: Reply, now: number): Hold[] {
  return LIMITS.filter((limit) => reply.header(`${limit}-remaining`) === '0').flatMap((limit) => {
    const ms = reply.waitMs(`${limit}-reset`, now);
    return ms === undefined ? [] : [{ of: limit === OF_APP ? ('app' as const) : ('account' as const), ms }];
  });
}

/** The one that ends last. */
function holdOf(limits: readonly Hold[]): { readonly hold?: Hold } {
  const [last] = limits.toSorted((one, other) => other.ms - one.ms);
  return last === undefined || last.ms === 0 ? {} : { hold: last };
}

function isCapped(reply: Reply): boolean {
  return problemIn(reply).type?.endsWith('/usage-capped') === true;
}

function untilAllowedMs(reply: Reply, now: number): number {
  return reply.waitMs('x-rate-limit-reset', now) ?? reply.waitMs('retry-after', now) ?? WINDOW_MS;
}

function refusalOf(reply: Reply): string {
  const { status } = reply;
  if (status >= 300 && status < 400) return "The server is at another address; correct the account's server";
  if (isDuplicate(reply)) return 'The account has posted the same a short time ago';
  if (status === 403) return 'X does not let the account do this';
  return 'X does not take the post';
}
