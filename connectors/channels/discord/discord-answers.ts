import { z } from 'zod';
import type { Outcome } from '../../../topology/message';
import type { Reply } from '../http/reply';
import { heldFor } from '../provider/allowance';
import { gatewayAnswer } from '../provider/gateway-answer';

const error = z.object({
  code: z.int().optional().catch(undefined),
  message: z.string().optional().catch(undefined),
  errors: z.unknown().optional(),
  retry_after: z.number().nonnegative().optional().catch(undefined),
});
const taken = z.object({ id: z.string(), channel_id: z.string() });

/** The message of a nonce was deleted after it was taken. */
const UNKNOWN_MESSAGE = 10_008;
/** Slow mode, too many writes in the channel, a service that is limited for now, an error inside Discord's network. */
const NOT_NOW = new Set([20_016, 20_028, 40_062, 40_333]);
/** The token is invalid, is none at all, or its bot has to be verified first. */
const NOT_VERIFIED = 40_002;
const NOT_CONNECTED = new Set([50_014, 40_001, NOT_VERIFIED]);
/** What stands before Discord refuses an address for a while that asked in vain too often. */
const BANNED_MS = 600_000;

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
} {
  const { code, message, errors, retry_after: seconds } = error.safeParse(reply.json()).data ?? {};
  // The field that is wrong stands below.
  const text = message === undefined || errors === undefined ? message : `${message} ${JSON.stringify(errors)}`;
  const said = reply.shown(text) || 'no reason given';
  return { code, said, afterMs: seconds === undefined ? undefined : Math.ceil(seconds * 1_000) };
}

/** What the answer to a message means, with a sentence for those who ask why. */
export function meaningOf(
  reply: Reply,
  { inDoubt, now }: { readonly inDoubt: boolean; readonly now: number },
): Outcome {
  const { status } = reply;
  if (reply.isOk) {
    const { success, data } = taken.safeParse(reply.json());
    if (success) return { kind: 'delivered', status, receipt: reply.shown(`${data.channel_id}/${data.id}`) };
    return { kind: 'unknown', status, reason: `Discord answered HTTP ${status} without a message: ${reply.shown()}` };
  }
  const { code, said, afterMs } = errorOf(reply);
  const quoted = `(HTTP ${status}${code === undefined ? '' : `, code ${code}`}: ${said})`;
  if (code === UNKNOWN_MESSAGE && inDoubt) return { kind: 'delivered', status };
  if (status === 401 || (code !== undefined && NOT_CONNECTED.has(code))) {
    const reason = `Discord does not take the bot's token any more ${quoted}. Connect the account again`;
    return { kind: 'unusable', status, reason, ...(code === NOT_VERIFIED ? { isFinal: true } : {}) };
  }
  if (status === 429 || (code !== undefined && NOT_NOW.has(code))) {
    const waitMs = afterMs ?? reply.waitMs('retry-after', now) ?? reply.waitMs('x-ratelimit-reset-after', now);
    const reason = `Discord takes no more from the bot, or in this channel, for now ${quoted}`;
    // Elsewhere it is one channel that takes no more, also from others.
    const isOfBot = reply.header('x-ratelimit-global') !== undefined || reply.header('x-ratelimit-scope') === 'global';
    if (isOfBot) return { kind: 'retry', status, reason, ...heldFor(waitMs) };
    return { kind: 'retry', status, reason, ...(waitMs === undefined ? {} : { afterMs: waitMs }) };
  }
  if (status === 403 && code === undefined) {
    const reason = `Discord does not let this address in for now ${quoted}`;
    return { kind: 'retry', status, reason, afterMs: BANNED_MS };
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

function refusalOf(status: number, code: number | undefined): string {
  if (status >= 300 && status < 400) return "The server is at another address; correct the account's server";
  return (code === undefined ? undefined : REFUSALS[code]) ?? 'Discord does not take the message';
}
