import { z } from 'zod';
import type { Hold, Outcome } from '../../../topology/message';
import type { Reply } from '../http/reply';
import { heldFor, holdIn } from '../provider/allowance';
import { gatewayAnswer } from '../provider/gateway-answer';

const error = z.object({
  code: z.int().optional().catch(undefined),
  message: z.string().optional().catch(undefined),
  errors: z.unknown().optional(),
  retry_after: z.number().nonnegative().optional().catch(undefined),
  global: z.boolean().optional().catch(undefined),
});
const taken = z.object({ id: z.string(), channel_id: z.string() });

/** The message of a nonce was deleted after it was taken. */
const UNKNOWN_MESSAGE = 10_008;
/** The bot may write in the channel again after a while that people have set, up to hours. */
const SLOW_MODE = 20_016;
/** Too many writes in the channel, a service that is limited for now, an error inside Discord's network. */
const NOT_NOW = new Set([SLOW_MODE, 20_028, 40_062, 40_333]);
/** The token is invalid, is none at all, or its bot has to be verified first. */
const NOT_VERIFIED = 40_002;
const NOT_CONNECTED = new Set([50_014, 40_001, NOT_VERIFIED]);
/** What stands before Discord refuses an address for a while that asked in vain too often. */
const BANNED_MS = 600_000;
/** A bot of which a channel has taken no more writes one message at a time for so long, also in others. */
const ALONE_MS = 30_000;
/** Discord sends at least one of them with each of its own limits. What stands before it sends none. */
const LIMIT_HEADERS = ['limit', 'remaining', 'reset', 'reset-after', 'bucket', 'global', 'scope'];

const REFUSALS: Readonly<Record<number, string>> = {
  10_003: 'There is no such channel, or the bot may not see it',
  50_001: 'The bot may not see the channel',
  50_013: 'The bot may not write in the channel',
  50_007: 'The receiver takes no messages from the bot',
  50_008: 'The channel takes no text',
  50_024: 'The channel takes no text',
  50_083: 'The thread is archived',
  160_005: 'The thread is locked',
  50_006: 'Discord takes no empty message',
  50_035: 'Discord does not take the message as it is',
  200_000: 'The rules of the server (AutoMod) forbid the message',
  240_000: 'Discord takes the message for harmful, because of a link',
};

/** What Discord says of an error, and its number of it. */
export function errorOf(reply: Reply): {
  readonly code: number | undefined;
  readonly said: string;
  readonly afterMs: number | undefined;
  /** It is refused to the bot everywhere. */
  readonly isGlobal: boolean;
} {
  const { code, message, errors, retry_after: seconds, global } = error.safeParse(reply.json()).data ?? {};
  // The field that is wrong stands below.
  const text = message === undefined || errors === undefined ? message : `${message} ${JSON.stringify(errors)}`;
  const said = reply.shown(text) || 'no reason given';
  const afterMs = seconds === undefined ? undefined : Math.ceil(seconds * 1_000);
  const isGlobal = global === true || limitOf(reply, 'global') !== undefined || limitOf(reply, 'scope') === 'global';
  return { code, said, afterMs, isGlobal };
}

/** What the answer to a message means, with a sentence for those who ask why. */
export function meaningOf(
  reply: Reply,
  { inDoubt, now }: { readonly inDoubt: boolean; readonly now: number },
): Outcome {
  const { status } = reply;
  if (reply.isOk) {
    const { success, data } = taken.safeParse(reply.json());
    const last = holdIn(reply, { remaining: 'x-ratelimit-remaining', reset: 'x-ratelimit-reset-after', now });
    if (success)
      return { kind: 'delivered', status, receipt: reply.shown(`${data.channel_id}/${data.id}`), ...soon(last) };
    return { kind: 'unknown', status, reason: `Discord answered HTTP ${status} without a message: ${reply.shown()}` };
  }
  const { code, said, afterMs, isGlobal } = errorOf(reply);
  const quoted = `(HTTP ${status}${code === undefined ? '' : `, code ${code}`}: ${said})`;
  if (code === UNKNOWN_MESSAGE && inDoubt) return { kind: 'delivered', status };
  if (status === 401 || (code !== undefined && NOT_CONNECTED.has(code))) {
    const reason = `Discord does not take the bot's token any more ${quoted}. Connect the account again`;
    return { kind: 'unusable', status, reason, ...(code === NOT_VERIFIED ? { isFinal: true } : {}) };
  }
  const waitMs = afterMs ?? reply.waitMs('retry-after', now) ?? reply.waitMs('x-ratelimit-reset-after', now);
  const isLimitOfDiscord = isGlobal || LIMIT_HEADERS.some((name) => limitOf(reply, name) !== undefined);
  if (code === undefined && (status === 403 || (status === 429 && !isLimitOfDiscord))) {
    const reason = `Discord does not let this address in for now ${quoted}`;
    const heldMs = (status === 429 ? waitMs : undefined) ?? BANNED_MS;
    return { kind: 'retry', status, reason, ...heldFor(heldMs, 'app') };
  }
  if (status === 429 || (code !== undefined && NOT_NOW.has(code))) {
    const reason = `Discord takes no more from the bot, or in this channel, for now ${quoted}`;
    // A limit that is shared is the channel's, also for what others write there, and does not count against the address.
    const isOfBot = status === 429 && code !== SLOW_MODE && (isGlobal || limitOf(reply, 'scope') !== 'shared');
    if (isOfBot) return { kind: 'retry', status, reason, ...(isGlobal ? heldFor(waitMs) : soon(heldFor(waitMs))) };
    return { kind: 'retry', status, reason, ...(waitMs === undefined ? {} : { afterMs: waitMs }) };
  }
  if (status >= 500) {
    return { kind: 'unknown', status, reason: `Discord failed ${quoted}; it may have the message` };
  }
  return (
    gatewayAnswer(reply, `HTTP ${status}: ${said}`) ?? {
      kind: 'rejected',
      status,
      reason: `${refusalOf(status, code)} ${quoted}`,
    }
  );
}

/** The limit of a channel: it is over within seconds, and each answer says how much is left of it. */
function soon<T extends { readonly hold?: Hold }>(said: T): T {
  return said.hold === undefined ? said : { ...said, hold: { ...said.hold, aloneMs: ALONE_MS } };
}

/** What Discord says of the limit that counts for the request. */
function limitOf(reply: Reply, name: string): string | undefined {
  return reply.header(`x-ratelimit-${name}`);
}

function refusalOf(status: number, code: number | undefined): string {
  if (status >= 300 && status < 400) return "The server is at another address; correct the account's server";
  return (code === undefined ? undefined : REFUSALS[code]) ?? 'Discord does not take the message';
}
