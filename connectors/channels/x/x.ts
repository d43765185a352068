import { z } from 'zod';
import { DAY_MS } from '../../../topology/core/lateness';
import type { Outcome } from '../../../topology/message';
import type { Payload } from '../../../topology/payloads/payloads';
import { loadTweetText } from '../../../topology/payloads/tweet-text';
import type { WhoAmI } from '../channel-kind';
import { credentialFields } from '../credentials';
import { isUnanswered } from '../provider/api';
import { apiServer } from '../provider/api-server';
import { type Publishing, providerKind } from '../provider/provider-channel';
import { expiresAtField } from '../provider/refresh';
import { unlessLost, videoMadeReady } from '../provider/video';
import { isDuplicate, meaningOf } from './x-answers';
import { originOf, requestTo, type XCredentials, type XPost } from './x-api';
import { findPost, ownerOf, search } from './x-lookup';
import { MAX_IMAGE_BYTES, uploadImages } from './x-media';
import { xRefresh } from './x-refresh';
import { MAX_VIDEO_BYTES, uploadVideo } from './x-video';

/** A request that nobody waits for any more may run on in X for so long. */
const RUNS_ON_MS = 45_000;
/** X may list a new post so late. */
const LISTED_LATE_MS = 30_000;

const credentials = z.strictObject({
  token: z
    .string()
    .regex(
      /^[\x21-\x7e]{8,2048}$/,
      "expected a user's access token of OAuth 2 with tweet.read, tweet.write, users.read",
    )
    .register(credentialFields, { prompt: "The user's access token (OAuth 2)", isSecret: true }),
  userId: z
    .string()
    .regex(/^[1-9]\d{0,18}$/, "expected the user's id, a number")
    .optional()
    .register(credentialFields, { prompt: "The user's id, or nothing to take the token's", isSecret: false }),
  refreshToken: z
    .string()
    .regex(/^[\x21-\x7e]{8,2048}$/, 'expected a refresh token of OAuth 2, which offline.access gives')
    .optional()
    .register(credentialFields, { prompt: 'Refresh token, or nothing', isSecret: true }),
  clientId: z
    .string()
    .regex(/^[\x21-\x7e]{1,255}$/, "expected the client ID of the app's OAuth 2")
    .optional()
    .register(credentialFields, {
      prompt: 'Client ID of the app, for refreshing and its limits, or nothing',
      isSecret: false,
    }),
  clientSecret: z
    .string()
    .regex(/^[\x21-\x7e]{8,512}$/, "expected the client secret of the app's OAuth 2")
    .optional()
    .register(credentialFields, { prompt: 'Client secret of a confidential app, or nothing', isSecret: true }),
  expiresAt: expiresAtField(),
  server: apiServer('https://api.x.com'),
});

/** Posts on X. What the answers mean is in docs/channels.md. */
export const x = providerKind({
  name: 'x',
  class: 'lookup',
  acceptedLateMs: RUNS_ON_MS + LISTED_LATE_MS,
  limits: {
    perAccount: { rates: [{ count: 100, windowMs: 900_000 }], gapMs: 0 },
    perApp: { rates: [{ count: 10_000, windowMs: DAY_MS }], gapMs: 0 },
  },
  receiptIs: "the post's id, the number at the end of its address",
  credentials,
  originOf,
  appOf: ({ clientId }) => clientId,
  prepare: postOf,
  media: {
    types: ['image/jpeg', 'image/png', 'image/gif', 'image/webp'],
    maxBytes: MAX_IMAGE_BYTES,
    video: { types: ['video/mp4', 'video/quicktime'], maxBytes: MAX_VIDEO_BYTES },
  },
  // A token is another one every two hours, and X itself knows whose a video is.
  videoOwner: ({ userId = '', server = '' }) => JSON.stringify([userId, server]),
  async send(post, sending) {
    const { credentials: account, publish, inDoubt, now, files } = sending;
    const video = await uploadVideo(sending);
    if (video === 'not_started' || (video !== undefined && 'kind' in video)) return video;
    const media = video === undefined ? await uploadImages(files, sending) : [video.id];
    if (!Array.isArray(media)) return media;
    const json = media.length === 0 ? post : { ...post, media: { media_ids: media } };
    const ended = await publish(requestTo(account, { method: 'POST', path: '/2/tweets', json }));
    if (isUnanswered(ended)) return ended;
    const meant = meaningOf(ended, now());
    return inDoubt && isDuplicate(ended)
      ? foundAfterAll(post, sending, meant)
      : unlessLost(meant, video, sending.video);
  },
  makeReady: async (_, preparing) => videoMadeReady(await uploadVideo(preparing), preparing),
  lookup: findPost,
  refresh: xRefresh,
  load: loadTweetText,
  async whoAmI(asking): Promise<WhoAmI> {
    const found = await ownerOf({ ...asking, now: () => 0 });
    if ('kind' in found) return { kind: 'no', reason: found.reason };
    return { kind: 'ok', name: `@${found.username} (${found.id})` };
  },
});

/**
 * What it means that X has the post of a message in doubt, which a lookup has just not found: an earlier attempt was accepted and is
 * listed by now, another message has the post, or neither is known yet.
 */
async function foundAfterAll(post: XPost, sending: Publishing<XCredentials>, refused: Outcome): Promise<Outcome> {
  const found = await search(post, sending);
  if (found.kind === 'accepted') return { ...found, kind: 'delivered' };
  if (found.kind === 'others') return refused;
  const { status } = refused;
  const why = found.kind === 'absent' ? 'and does not list it' : `and it cannot be looked for: ${found.reason}`;
  const reason = `X says that the account has this post already, ${why}`;
  const afterMs = 'afterMs' in found ? found.afterMs : undefined;
  return {
    kind: 'unknown',
    reason,
    ...(status === undefined ? {} : { status }),
    ...(afterMs === undefined ? {} : { afterMs }),
  };
}

/** The body of the request: a function of the row alone, so that each attempt has the same. */
function postOf({ text, replyTo, replySettings }: Payload<'x'>): XPost {
  return {
    text,
    ...(replyTo === undefined ? {} : { reply: { in_reply_to_tweet_id: replyTo } }),
    ...(replySettings === undefined ? {} : { reply_settings: replySettings }),
  };
}
