import { z } from 'zod';
import type { Outcome } from '../../../topology/message';
import type { Reply } from '../http/reply';
import { heldFor } from '../provider/allowance';
import { gatewayAnswer } from '../provider/gateway-answer';

const HOUR_MS = 3_600_000;

const posted = z.object({ ok: z.literal(true), channel: z.string(), ts: z.string() });
const shared = z.object({ ok: z.literal(true), files: z.array(z.object({ id: z.string() })).min(1) });
const refused = z.object({ ok: z.literal(false), error: z.string(), needed: z.string().optional() });

/** The account has to be connected again. */
const UNUSABLE: ReadonlySet<string> = new Set(['not_authed', 'invalid_auth']);
/** The same, and Slack does not say it by mistake. */
const ENDED: ReadonlySet<string> = new Set([
  'account_inactive',
  'token_revoked',
  'token_expired',
  'org_login_required',
  'two_factor_setup_required',
]);
/** Slack may have the message. */
const IN_DOUBT: ReadonlySet<string> = new Set([
  'fatal_error',
  'internal_error',
  'service_unavailable',
  'team_added_to_org',
]);
const TOO_MANY: ReadonlySet<string> = new Set(['ratelimited', 'rate_limited']);

/** What a refusal means to those who ask why, by the beginning of Slack's word for it; the first that fits. */
const REFUSALS: readonly (readonly [beginning: string, sentence: string])[] = [
  ['channel_not_found', 'There is no such conversation, or the app cannot see it'],
  ['not_in_channel', 'The app is not in the conversation; invite it'],
  ['is_archived', 'The conversation is archived'],
  ['restricted_action', 'The workspace does not let the app post there'],
  ['missing_scope', 'The app lacks a permission; add it and install the app again'],
  ['no_permission', 'The app lacks a permission, or is not in the conversation'],
  ['ekm_access_denied', 'The administrators have stopped posting in this workspace'],
  ['access_denied', 'The workspace does not let the app post'],
  ['thread_not_found', 'The message whose thread it goes to is not there'],
  ['msg_too_long', 'The text is too long'],
];

/** What the answer to a message with files means. It does not say the message's `ts`. */
export function meaningOfFiles(reply: Reply, conversation: string, now: number): Outcome {
  const { success, data } = shared.safeParse(reply.json());
  if (!reply.isOk || !success) return meaningOf(reply, now);
  const receipt = reply.shown(`${conversation}:${data.files.map(({ id }) => id).join()}`);
  return { kind: 'delivered', status: reply.status, receipt };
}

/** What Slack's answer means. It answers 200 to nearly everything, so its own words count. */
export function meaningOf(reply: Reply, now: number): Outcome {
  const { status } = reply;
  const answer = reply.json();
  const message = posted.safeParse(answer);
  if (reply.isOk && message.success) {
    return { kind: 'delivered', status, receipt: reply.shown(`${message.data.channel}:${message.data.ts}`) };
  }
  const { data: { error, needed } = { error: '', needed: undefined } } = refused.safeParse(answer);
  const said = `HTTP ${status}: ${wordsOf(reply)}${needed === undefined ? '' : `, needed: ${reply.shown(needed)}`}`;
  if (status === 429 || TOO_MANY.has(error)) {
    const afterMs = reply.waitMs('retry-after', now);
    const reason = `The app has posted as often as Slack allows for now (${said})`;
    return { kind: 'retry', status, reason, ...heldFor(afterMs) };
  }
  if (status >= 500 || IN_DOUBT.has(error)) {
    return { kind: 'unknown', status, reason: `Slack failed (${said}); it may have the message` };
  }
  if (UNUSABLE.has(error) || ENDED.has(error) || status === 401) {
    const reason = `Slack does not take the account's token any more (${said}). Connect the account again`;
    return { kind: 'unusable', status, reason, ...(ENDED.has(error) ? { isFinal: true } : {}) };
  }
  if (error === 'message_limit_exceeded') {
    const reason = `The workspace has posted as many messages as its plan allows (${said})`;
    return { kind: 'retry', status, reason, ...heldFor(HOUR_MS) };
  }
  if (error === 'request_timeout') {
    return { kind: 'retry', status, reason: `The request reached Slack in part (${said})` };
  }
  if (reply.isOk && error === '') {
    return { kind: 'unknown', status, reason: `Slack answered without a message: ${reply.shown()}` };
  }
  const sentence =
    REFUSALS.find(([beginning]) => error.startsWith(beginning))?.[1] ?? 'Slack does not take the message';
  return gatewayAnswer(reply, said) ?? { kind: 'rejected', status, reason: `${sentence} (${said})` };
}

/** Slack's word for an error, else the beginning of what it said. */
export function wordsOf(reply: Reply): string {
  const { error } = (reply.json() ?? {}) as { error?: unknown };
  return reply.shown(error) || 'no reason given';
}
