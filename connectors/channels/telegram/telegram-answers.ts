import { z } from 'zod';
import type { Outcome } from '../../../topology/message';
import type { Reply } from '../http/reply';
import { heldFor } from '../provider/allowance';
import { gatewayAnswer } from '../provider/gateway-answer';

/** A person's user name is the name of no chat. */
const PUBLIC = /^(?:channel|supergroup)$/;

const chat = z.object({ id: z.int(), type: z.string().optional(), username: z.string().optional() });
type Chat = z.infer<typeof chat>;

const answer = z.object({
  description: z.string().optional().catch(undefined),
  parameters: z
    .object({
      retry_after: z.number().nonnegative().optional().catch(undefined),
      migrate_to_chat_id: z.int().optional().catch(undefined),
    })
    .optional()
    .catch(undefined),
  // Of several images it is a list of messages; the first one has the text.
  result: z
    .preprocess(
      (result) => (Array.isArray(result) ? (result[0] as unknown) : result),
      z.object({
        username: z.string().optional().catch(undefined),
        message_id: z.int().optional().catch(undefined),
        chat: chat.optional().catch(undefined),
      }),
    )
    .optional()
    .catch(undefined),
});

/** What the API's answers have in common, and what is wanted of them. */
interface Answer {
  /** Of a bot that says who it is. */
  readonly username: string | undefined;
  /** Where the message is; undefined when the answer is no message. */
  readonly receipt: string | undefined;
  /** The chat's new number, when nothing was taken because it has one. */
  readonly movedTo: number | undefined;
  readonly retryAfterMs: number | undefined;
  /** What Telegram says, on one line. */
  readonly said: string;
}

export function answerOf(reply: Reply): Answer {
  const { description, parameters, result } = answer.safeParse(reply.json()).data ?? {};
  const seconds = parameters?.retry_after;
  const { message_id: id, chat: where, username } = (reply.isOk && result) || {};
  return {
    username,
    receipt: id === undefined || where === undefined ? undefined : receiptOf(where, id),
    movedTo: reply.status === 400 ? parameters?.migrate_to_chat_id : undefined,
    retryAfterMs: seconds === undefined ? undefined : Math.ceil(seconds * 1_000),
    said: reply.shown(description) || 'no reason given',
  };
}

/** What the answer to a message means, with a sentence for those who ask why. */
export function meaningOf(reply: Reply, now: number): Outcome {
  const { status } = reply;
  const { receipt, retryAfterMs, said } = answerOf(reply);
  if (reply.isOk) {
    if (receipt !== undefined) return { kind: 'delivered', status, receipt: reply.shown(receipt) };
    return { kind: 'unknown', status, reason: `Telegram answered HTTP ${status} without a message: ${said}` };
  }
  if (status === 401 || status === 404) {
    const reason = `Telegram does not take the bot's token any more (HTTP ${status}: ${said}). Connect the account again`;
    return { kind: 'unusable', status, reason };
  }
  if (status === 429) {
    const afterMs = retryAfterMs ?? reply.waitMs('retry-after', now);
    const reason = 'The bot has sent as much as Telegram allows for now (HTTP 429)';
    return { kind: 'retry', status, reason, ...heldFor(afterMs) };
  }
  if (status >= 500) {
    return { kind: 'unknown', status, reason: `Telegram failed (HTTP ${status}: ${said}); it may have the message` };
  }
  return (
    gatewayAnswer(reply, `HTTP ${status}: ${said}`) ?? {
      kind: 'rejected',
      status,
      reason: `${refusalOf(status, said)} (HTTP ${status}: ${said})`,
    }
  );
}

/** What Telegram says, and what it means to the person who scheduled the message. */
const REFUSALS: readonly (readonly [said: RegExp, means: string])[] = [
  [/blocked by the user/i, 'The receiver has blocked the bot'],
  [/user is deactivated/i, "The receiver's account does not exist any more"],
  [/kicked|not a member/i, 'The bot is not in the chat; add it again'],
  [/initiate conversation/i, 'The receiver has to write to the bot first'],
  [/group chat was (?:deleted|deactivated)|group chat was upgraded/i, 'The group does not exist any more'],
  [/chat not found|peer_id_invalid/i, 'There is no such chat, or the bot has never been in it'],
  [/not enough rights|no rights|write_forbidden|admin/i, 'The bot may not write in the chat'],
  [/(?:message|caption|text) is too long|message_too_long|caption_too_long/i, 'The text is too long for Telegram'],
  [/can't parse/i, 'The markup of the text is not as the parse mode wants it'],
  [/repl(?:y|ied).*not found/i, 'The message that it answers is not in the chat'],
  [/photo|image|video|file|media/i, 'Telegram does not take an image or a video of the message'],
  [/topic|thread/i, 'The topic is closed, or not in the chat'],
];

function refusalOf(status: number, said: string): string {
  if (status >= 300 && status < 400) return "The server is at another address; correct the account's server";
  const found = REFUSALS.find(([pattern]) => pattern.test(said))?.[1];
  return found ?? (status === 403 ? 'Telegram does not let the bot write there' : 'Telegram does not take the message');
}

/** The message's address where the chat has one, its chat and number elsewhere. */
function receiptOf({ id, type = '', username }: Chat, message: number): string {
  if (username !== undefined && PUBLIC.test(type)) return `https://t.me/${username}/${message}`;
  const inner = /^-100(\d+)$/.exec(String(id))?.[1];
  return inner === undefined ? `${id}/${message}` : `https://t.me/c/${inner}/${message}`;
}
