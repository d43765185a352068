import { z } from 'zod';
import type { Payload } from '../../../topology/payloads/payloads';
import type { WhoAmI } from '../channel-kind';
import { credentialFields } from '../credentials';
import { isUnanswered } from '../provider/api';
import { isServer } from '../provider/api-server';
import { providerKind } from '../provider/provider-channel';
import { unlessLost, videoMadeReady } from '../provider/video';
import { errorOf, meaningOf } from './mastodon-answers';
import { findStatus } from './mastodon-lookup';
import { uploadImages } from './mastodon-media';
import { type MastodonStatus, requestTo } from './mastodon-status';
import { MAX_VIDEO_BYTES, uploadVideo } from './mastodon-video';

const MINUTE_MS = 60_000;
/** The server keeps a key for an hour after the first request ended; some of that is left to clocks that differ. */
const KEY_LIFETIME_MS = 55 * MINUTE_MS;
/** A request that nobody waits for any more may run on in the server for so long. */
const ACCEPTED_LATE_MS = 45_000;
/** What a server takes unless its administrator has changed it. */
const MAX_IMAGE_BYTES = 16 * 1024 * 1024;

const credentials = z.strictObject({
  instance: z
    .url({ protocol: /^https?$/, error: 'expected the https URL of the server' })
    .max(255)
    .refine(isServer, 'expected the https URL of the server, such as https://mastodon.social, and nothing behind it')
    .register(credentialFields, { prompt: 'Server, such as https://mastodon.social', isSecret: false }),
  token: z
    .string()
    .regex(/^[\x21-\x7e]{8,1024}$/, 'expected an access token with write:statuses and read')
    .register(credentialFields, { prompt: 'Access token', isSecret: true }),
});

/** Posts on servers of Mastodon's. What the answers mean is in docs/channels.md. */
export const mastodon = providerKind({
  name: 'mastodon',
  class: 'idempotent',
  keyLifetimeMs: KEY_LIFETIME_MS,
  acceptedLateMs: ACCEPTED_LATE_MS,
  limits: { perAccount: { rates: [{ count: 300, windowMs: 3 * 3_600_000 }], gapMs: 0 } },
  receiptIs: "the post's address",
  credentials,
  originOf: ({ instance }) => new URL(instance).origin,
  prepare: statusOf,
  media: {
    types: ['image/jpeg', 'image/png', 'image/gif', 'image/webp'],
    maxBytes: MAX_IMAGE_BYTES,
    video: { types: ['video/mp4', 'video/quicktime'], maxBytes: MAX_VIDEO_BYTES },
  },
  videoOwner: ({ instance, token }) => JSON.stringify([instance, token]),
  async send(status, sending) {
    const { credentials: account, publish, idempotencyKey, now, files } = sending;
    const video = await uploadVideo(sending);
    if (video === 'not_started' || (video !== undefined && 'kind' in video)) return video;
    const uploaded = video === undefined ? await uploadImages(files, sending) : [video.id];
    if (!Array.isArray(uploaded)) return uploaded;
    const ended = await publish({
      ...requestTo(account, 'POST', '/api/v1/statuses', { 'idempotency-key': idempotencyKey }),
      json: uploaded.length === 0 ? status : { ...status, media_ids: uploaded },
    });
    return isUnanswered(ended) ? ended : unlessLost(meaningOf(ended, now()), video, sending.video);
  },
  makeReady: async (_, preparing) => videoMadeReady(await uploadVideo(preparing), preparing),
  lookup: findStatus,
  async whoAmI({ credentials: account, ask }): Promise<WhoAmI> {
    const ended = await ask(requestTo(account, 'GET', '/api/v1/accounts/verify_credentials'));
    if (isUnanswered(ended)) return { kind: 'no', reason: ended === 'not_started' ? 'interrupted' : ended.reason };
    const { acct } = (ended.json() ?? {}) as { acct?: unknown };
    if (ended.isOk && typeof acct === 'string') {
      return { kind: 'ok', name: `@${ended.shown(acct)}@${new URL(account.instance).host}` };
    }
    return { kind: 'no', reason: `HTTP ${ended.status}: ${errorOf(ended)}` };
  },
});

/** The body of the request: a function of the row alone, so that each attempt has the same. */
function statusOf({ text, replyTo, visibility, spoiler, language }: Payload<'mastodon'>): MastodonStatus {
  return {
    status: text,
    ...(replyTo === undefined ? {} : { in_reply_to_id: replyTo }),
    ...(visibility === undefined ? {} : { visibility }),
    ...(spoiler === undefined ? {} : { spoiler_text: spoiler }),
    ...(language === undefined ? {} : { language }),
  };
}
