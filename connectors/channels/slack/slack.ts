import { z } from 'zod';
import type { Payload } from '../../../topology/payloads/payloads';
import type { WhoAmI } from '../channel-kind';
import { credentialFields } from '../credentials';
import { isUnanswered } from '../provider/api';
import { apiServer } from '../provider/api-server';
import { providerKind } from '../provider/provider-channel';
import { meaningOf, meaningOfFiles, wordsOf } from './slack-answers';
import { metadataOf, originOf, requestTo, type SlackMessage } from './slack-api';
import { completionOf, uploadFiles } from './slack-files';
import { findMessage } from './slack-lookup';

/** A request that nobody waits for any more may run on in Slack for so long. */
const ACCEPTED_LATE_MS = 45_000;
/** Slack takes files of a gigabyte; images are not that large. */
const MAX_IMAGE_BYTES = 32 * 1024 ** 2;
/** Slack takes more; the media of a message have so much together. */
const MAX_VIDEO_BYTES = 100 * 1024 ** 2;

const credentials = z.strictObject({
  token: z
    .string()
    .regex(/^[\x21-\x7e]{8,1024}$/, "expected the app's bot token (xoxb-…) with chat:write and channels:history")
    .register(credentialFields, { prompt: 'Bot token, xoxb-…', isSecret: true }),
  server: apiServer('https://slack.com'),
});

const owner = z.object({ ok: z.literal(true), user: z.string(), team: z.string() });

/** Posts in workspaces of Slack's. What the answers mean is in docs/channels.md. */
export const slack = providerKind({
  name: 'slack',
  class: 'lookup',
  acceptedLateMs: ACCEPTED_LATE_MS,
  credentials,
  originOf,
  prepare: messageOf,
  media: {
    types: ['image/jpeg', 'image/png', 'image/gif', 'image/webp'],
    maxBytes: MAX_IMAGE_BYTES,
    video: { types: ['video/mp4', 'video/quicktime'], maxBytes: MAX_VIDEO_BYTES, isBesides: true },
  },
  async send(message, sending) {
    const { credentials: account, publish, idempotencyKey, now, files } = sending;
    if (files.length > 0) {
      const uploaded = await uploadFiles(files, sending);
      if (!Array.isArray(uploaded)) return uploaded;
      const json = completionOf(message, uploaded);
      const ended = await publish(requestTo(account, 'files.completeUploadExternal', { json }));
      return isUnanswered(ended) ? ended : meaningOfFiles(ended, message.channel, now());
    }
    const json = { ...message, metadata: metadataOf(idempotencyKey) };
    const ended = await publish(requestTo(account, 'chat.postMessage', { json }));
    return isUnanswered(ended) ? ended : meaningOf(ended, now());
  },
  lookup: findMessage,
  async whoAmI({ credentials: account, ask }): Promise<WhoAmI> {
    const ended = await ask(requestTo(account, 'auth.test', { json: {} }));
    if (isUnanswered(ended)) return { kind: 'no', reason: ended === 'not_started' ? 'interrupted' : ended.reason };
    const { success, data } = owner.safeParse(ended.json());
    if (ended.isOk && success) return { kind: 'ok', name: ended.shown(`@${data.user} at ${data.team}`) };
    return { kind: 'no', reason: `HTTP ${ended.status}: ${wordsOf(ended)}` };
  },
});

/** The body of the request, but for the key: a function of the row alone, so that each attempt has the same. */
function messageOf({ conversation, text, replyTo, unfurl }: Payload<'slack'>): SlackMessage {
  return {
    channel: conversation,
    text,
    ...(replyTo === undefined ? {} : { thread_ts: replyTo }),
    ...(unfurl === undefined ? {} : { unfurl_links: unfurl, unfurl_media: unfurl }),
  };
}
