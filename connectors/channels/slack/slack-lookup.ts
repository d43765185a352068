import { z } from 'zod';
import type { LookupAnswer } from '../../../bolts/channel';
import type { Reply } from '../http/reply';
import { isUnanswered, unclear, unread } from '../provider/api';
import { namePrefixOf } from '../provider/file-names';
import type { Looking } from '../provider/provider-channel';
import { meaningOf, wordsOf } from './slack-answers';
import { metadataOf, requestTo, type SlackCredentials, type SlackMessage } from './slack-api';

const PAGE = 200;
/** Beyond so many messages nothing is certain. */
const MAX_PAGES = 10;
/** So much earlier than the first attempt is asked for, because Slack's clock may differ from ours. */
const MAX_SKEW_MS = 300_000;

const page = z.object({
  ok: z.literal(true),
  messages: z.array(
    z.object({
      ts: z.string().regex(/^\d{1,20}\.\d{1,20}$/),
      files: z.array(z.object({ name: z.string().optional().catch(undefined) })).default([]),
      metadata: z.object({ event_type: z.string(), event_payload: z.unknown().optional() }).optional().catch(undefined),
    }),
  ),
  has_more: z.boolean().optional(),
  response_metadata: z.object({ next_cursor: z.string().optional() }).optional(),
});

/**
 * Whether the conversation has a message with this key since the first attempt began, in its metadata or the names of its files. A thread's messages are in no history but
 * its own. What was deleted meanwhile is not found.
 */
export async function findMessage(
  { channel, thread_ts }: SlackMessage,
  { credentials, ask, notBefore, now, idempotencyKey, media }: Looking<SlackCredentials>,
): Promise<LookupAnswer> {
  const { event_type, event_payload } = metadataOf(idempotencyKey);
  const method = thread_ts === undefined ? 'conversations.history' : 'conversations.replies';
  const query = {
    channel,
    ...(thread_ts === undefined ? {} : { ts: thread_ts }),
    oldest: ((notBefore - MAX_SKEW_MS) / 1_000).toFixed(6),
    inclusive: 'true',
    limit: String(PAGE),
    include_all_metadata: 'true',
  };
  let cursor = '';
  let isAnyHidden = false;
  for (let pages = 0; pages < MAX_PAGES; pages++) {
    const at = cursor === '' ? query : { ...query, cursor };
    const ended = await ask(requestTo(credentials, method, { query: at }));
    if (isUnanswered(ended)) return unclear(ended);
    const read = page.safeParse(ended.json());
    if (!ended.isOk || !read.success) return unread(meaningOf(ended, now()), `HTTP ${ended.status}: ${wordsOf(ended)}`);
    const { messages, has_more = false, response_metadata: { next_cursor = '' } = {} } = read.data;
    const prefix = namePrefixOf(idempotencyKey);
    const withFiles = messages.find(({ files }) => files.some(({ name = '' }) => name.startsWith(prefix)));
    if (withFiles !== undefined) return { kind: 'accepted', receipt: `${channel}:${withFiles.ts}` };
    // What stands for a file that somebody has deleted has no name: a message without files is none of those.
    isAnyHidden ||= media.length > 0 && messages.some(({ files }) => files.some(({ name }) => name === undefined));
    const ours = messages.filter(({ metadata }) => metadata?.event_type === event_type);
    const found = ours.find(({ metadata }) => keyIn(metadata?.event_payload) === event_payload.key);
    if (found !== undefined) return { kind: 'accepted', receipt: `${channel}:${found.ts}` };
    isAnyHidden ||= ours.some(({ metadata }) => keyIn(metadata?.event_payload) === undefined);
    if (isTooFarApart(ended, now())) {
      return { kind: 'unknown', reason: "Slack's clock and ours differ by more than five minutes" };
    }
    if (next_cursor === '') {
      if (has_more) return { kind: 'unknown', reason: 'Slack has more messages of this time and does not show them' };
      if (isAnyHidden) return { kind: 'unknown', reason: 'Slack does not show the keys of messages of this time' };
      return { kind: 'absent' };
    }
    cursor = next_cursor;
  }
  return { kind: 'unknown', reason: 'the conversation has had too many messages since to find this one among them' };
}

/** The key of a message; undefined where it is not shown. */
function keyIn(payload: unknown): string | undefined {
  return z.object({ key: z.string() }).safeParse(payload).data?.key;
}

/** An answer that does not say what time its server has is trusted. */
function isTooFarApart(reply: Reply, now: number): boolean {
  return Math.abs(now - Date.parse(reply.header('date') ?? '')) > MAX_SKEW_MS;
}
