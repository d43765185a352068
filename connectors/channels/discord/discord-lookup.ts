import { z } from 'zod';
import type { LookupAnswer } from '../../../bolts/channel';
import type { Reply } from '../http/reply';
import { type ApiEnd, isUnanswered, type Unclear, unclear, unread } from '../provider/api';
import { skewOf } from '../provider/clock-skew';
import { hasNamePrefix, namePrefixOf } from '../provider/file-names';
import type { Looking } from '../provider/provider-channel';
import { errorOf, meaningOf } from './discord-answers';
import { type DiscordCredentials, type DiscordMessage, nonceOf, requestTo } from './discord-message';

const PAGE = 100;
const UNCLEAR = 'a message with the same text has images of which Discord does not say to which message they belong';
/** Beyond so many newer messages in the channel nothing is certain. */
const MAX_PAGES = 10;
/** Epoch milliseconds at which Discord's ids begin. */
const FIRST_MS = 1_420_070_400_000;
const TIME_SHIFT = 22n;

const id = z.string().regex(/^\d{1,20}$/);
const self = z.object({ id });
const channel = z.object({ last_message_id: id.nullish() });
const message = z.object({
  id,
  content: z.string(),
  author: self,
  nonce: z.union([z.string(), z.number()]).optional().catch(undefined),
  message_reference: z.object({ message_id: id.optional() }).optional().catch(undefined),
  attachments: z.array(z.object({ filename: z.string() })).optional(),
});
const messages = z.array(message);

type Message = z.infer<typeof message>;

/**
 * Whether the bot has written this in the channel since the first attempt began; where only its text says which it is, one that is
 * of no other message of ours. A list without messages says nothing, because a bot that may not read the history gets one too: then
 * the channel is asked when it had its last message.
 */
export async function findMessage(wanted: DiscordMessage, looking: Looking<DiscordCredentials>): Promise<LookupAnswer> {
  const { credentials, ask, notBefore, now, claimFirst } = looking;
  const { channelId } = wanted;
  const get = (path: string) => ask(requestTo(credentials, path));
  const own = read(await get('/users/@me'), self, now());
  if ('kind' in own) return own;
  const since = idAt(notBefore - skewOf(own.reply, now()));
  let after = since;
  let isAnyUnclear = false;
  for (let page = 0; page < MAX_PAGES; page++) {
    const listed = read(await get(`/channels/${channelId}/messages?after=${after}&limit=${PAGE}`), messages, now());
    if ('kind' in listed) return listed;
    const ours = listed.value
      .filter((one) => one.author.id === own.value.id)
      .map((one) => ({ id: one.id, likeness: likeness(one, wanted, looking) }));
    const found = ours.find((one) => one.likeness === 'this');
    if (found !== undefined) return { kind: 'accepted', receipt: `${channelId}/${found.id}` };
    // The oldest first: it is the one of the first attempt.
    const alike = ours
      .filter((one) => one.likeness === 'alike')
      .toSorted((one, other) => (BigInt(one.id) < BigInt(other.id) ? -1 : 1));
    const claimed = await claimFirst(alike.map((one) => `${channelId}/${one.id}`));
    if (typeof claimed === 'string') return { kind: 'accepted', receipt: claimed };
    if (claimed !== undefined) return claimed;
    isAnyUnclear ||= ours.some((one) => one.likeness === 'unclear');
    if (listed.value.length === 0 && page === 0) {
      const last = read(await get(`/channels/${channelId}`), channel, now());
      if ('kind' in last) return last;
      const { last_message_id: newest } = last.value;
      if (newest === undefined) return { kind: 'unknown', reason: 'Discord does not say what was last in the channel' };
      // A channel without a message has null.
      if (newest === null || BigInt(newest) <= since) return { kind: 'absent' };
      return { kind: 'unknown', reason: "the bot is shown none of the channel's messages; let it read their history" };
    }
    if (listed.value.length < PAGE) return isAnyUnclear ? { kind: 'unknown', reason: UNCLEAR } : { kind: 'absent' };
    after = listed.value.reduce((newest, one) => (BigInt(one.id) > newest ? BigInt(one.id) : newest), after);
  }
  return { kind: 'unknown', reason: 'too much was written in the channel since to find this message among it' };
}

/**
 * Discord keeps a text without the blanks around it. Where it shows a nonce, that decides, else the names of images: an earlier
 * version gave them names that say nothing. A text alone may be another message's too.
 */
function likeness(
  { nonce, content, message_reference, attachments }: Message,
  { body }: DiscordMessage,
  { idempotencyKey, media }: Pick<Looking<DiscordCredentials>, 'idempotencyKey' | 'media'>,
): 'this' | 'alike' | 'other' | 'unclear' {
  if (nonce !== undefined) return nonce === nonceOf(idempotencyKey) ? 'this' : 'other';
  if (content.trim() !== body.content.trim()) return 'other';
  if (message_reference?.message_id !== body.message_reference?.message_id) return 'other';
  const names = attachments?.map(({ filename }) => filename) ?? [];
  if (media.length === 0) return names.length === 0 ? 'alike' : 'other';
  const prefix = namePrefixOf(idempotencyKey);
  if (names.some((name) => name.startsWith(prefix))) return 'this';
  const isOther = attachments !== undefined && (names.length !== media.length || names.every(hasNamePrefix));
  return isOther ? 'other' : 'unclear';
}

/** The lowest id of that time. */
function idAt(ms: number): bigint {
  return BigInt(Math.max(0, Math.floor(ms - FIRST_MS))) << TIME_SHIFT;
}

function read<T>(
  ended: ApiEnd,
  schema: z.ZodType<T>,
  now: number,
): { readonly value: T; readonly reply: Reply } | Unclear {
  if (isUnanswered(ended)) return unclear(ended);
  const result = schema.safeParse(ended.json());
  if (ended.isOk && result.success) return { value: result.data, reply: ended };
  return unread(meaningOf(ended, { inDoubt: false, now }), `HTTP ${ended.status}: ${errorOf(ended).said}`);
}
