import { z } from 'zod';
import { littleText } from '../../../topology/payloads/little-text';
import type { Payload } from '../../../topology/payloads/payloads';
import type { WhoAmI } from '../channel-kind';
import { credentialFields } from '../credentials';
import { isUnanswered } from '../provider/api';
import { apiServer } from '../provider/api-server';
import { providerKind } from '../provider/provider-channel';
import { expiresAtField } from '../provider/refresh';
import { unlessLost, videoMadeReady } from '../provider/video';
import { duplicateIn, meaningOf, wordsOf } from './linkedin-answers';
import { isOrganization, type LinkedinPost, newestPosts, originOf, requestTo } from './linkedin-api';
import { uploadImages } from './linkedin-images';
import { findPost, foundAsDuplicate } from './linkedin-lookup';
import { linkedinRefresh } from './linkedin-refresh';
import { MAX_VIDEO_BYTES, uploadVideo } from './linkedin-video';

/** A request that nobody waits for any more may run on in LinkedIn for so long. */
const ACCEPTED_LATE_MS = 45_000;
/** LinkedIn names a limit of pixels only. */
const MAX_IMAGE_BYTES = 20 * 1024 ** 2;

const credentials = z.strictObject({
  author: z
    .string()
    .regex(
      /^urn:li:(?:person|organization):[A-Za-z0-9_-]{1,64}$/,
      'expected who posts: urn:li:person:… or urn:li:organization:…',
    )
    .register(credentialFields, { prompt: 'Author, urn:li:person:… or urn:li:organization:…', isSecret: false }),
  token: z
    .string()
    .regex(/^[\x21-\x7e]{8,2048}$/, 'expected an access token with w_member_social or w_organization_social')
    .register(credentialFields, { prompt: 'Access token', isSecret: true }),
  refreshToken: z
    .string()
    .regex(/^[\x21-\x7e]{8,2048}$/, 'expected a refresh token, which LinkedIn gives to some apps')
    .optional()
    .register(credentialFields, { prompt: 'Refresh token, or nothing', isSecret: true }),
  clientId: z
    .string()
    .regex(/^[\x21-\x7e]{1,255}$/, 'expected the client ID of the app')
    .optional()
    .register(credentialFields, {
      prompt: 'Client ID of the app, for refreshing and its limits, or nothing',
      isSecret: false,
    }),
  clientSecret: z
    .string()
    .regex(/^[\x21-\x7e]{8,512}$/, 'expected the client secret of the app')
    .optional()
    .register(credentialFields, { prompt: 'Client secret of the app, for refreshing, or nothing', isSecret: true }),
  expiresAt: expiresAtField(),
  server: apiServer('https://api.linkedin.com'),
});

const owner = z.object({ sub: z.string(), name: z.string().optional() });

/** Posts of persons and organizations on LinkedIn. What the answers mean is in docs/channels.md. */
export const linkedin = providerKind({
  name: 'linkedin',
  class: 'lookup',
  acceptedLateMs: ACCEPTED_LATE_MS,
  receiptIs: "the post's URN, such as urn:li:share:7141000000000000000",
  credentials,
  originOf,
  appOf: ({ clientId }) => clientId,
  prepare: postOf,
  media: {
    types: ['image/jpeg', 'image/png', 'image/gif'],
    maxBytes: MAX_IMAGE_BYTES,
    video: { types: ['video/mp4'], maxBytes: MAX_VIDEO_BYTES },
  },
  videoOwner: ({ author, server = '' }) => JSON.stringify([author, server]),
  async send(post, sending) {
    const { credentials: account, apiVersion, publish, inDoubt, now, id, files } = sending;
    const video = await uploadVideo(sending);
    if (video === 'not_started' || (video !== undefined && 'kind' in video)) return video;
    const images = video === undefined ? await uploadImages(files, sending) : [{ id: video.id }];
    if (!Array.isArray(images)) return images;
    const [only] = images;
    const content = images.length > 1 ? { multiImage: { images } } : { media: only };
    const json = { author: account.author, ...post, ...(only === undefined ? {} : { content }) };
    const ended = await publish(requestTo(account, apiVersion, { method: 'POST', path: '/rest/posts', json }));
    if (isUnanswered(ended)) return ended;
    const meant = meaningOf(ended, { now: now(), id });
    const duplicate = duplicateIn(ended);
    if (video?.isUnseen === true && duplicate === undefined && meant.kind === 'rejected') {
      const { status, reason } = meant;
      const why = 'LinkedIn may still work on the video, which it does not let this token ask';
      return { kind: 'retry', reason: `${reason}; ${why}`, ...(status === undefined ? {} : { status }) };
    }
    if (duplicate === undefined) return unlessLost(meant, video, sending.video);
    if (!inDoubt || meant.kind !== 'rejected') return meant;
    return foundAsDuplicate(duplicate.urn, sending, meant, images.length > 0);
  },
  async makeReady(_, preparing) {
    const video = await uploadVideo(preparing);
    const isUnseen = video !== undefined && video !== 'not_started' && 'isUnseen' in video && video.isUnseen;
    return videoMadeReady(video, preparing, !isUnseen);
  },
  lookup: findPost,
  refresh: linkedinRefresh,
  async whoAmI({ credentials: account, apiVersion, ask }): Promise<WhoAmI> {
    const { author } = account;
    const ended = await ask(
      isOrganization(account)
        ? newestPosts(account, apiVersion, 1)
        : requestTo(account, apiVersion, { method: 'GET', path: '/v2/userinfo' }),
    );
    if (isUnanswered(ended)) return { kind: 'no', reason: ended === 'not_started' ? 'interrupted' : ended.reason };
    if (ended.isOk && isOrganization(account)) return { kind: 'ok', name: author };
    const { success, data } = owner.safeParse(ended.json());
    if (!ended.isOk || !success) return { kind: 'no', reason: `HTTP ${ended.status}: ${wordsOf(ended)}` };
    const own = `urn:li:person:${data.sub}`;
    if (own !== author) return { kind: 'no', reason: ended.shown(`the token is of ${own}, not of ${author}`) };
    return { kind: 'ok', name: ended.shown(data.name ?? author) };
  },
});

/** The body of the request: a function of the row alone, so that each attempt has the same. */
function postOf({ text, link, title = '', description, visibility = 'public' }: Payload<'linkedin'>): LinkedinPost {
  const article = link === undefined ? undefined : { source: link, title, ...(description && { description }) };
  return {
    commentary: littleText(text),
    visibility: visibility === 'public' ? 'PUBLIC' : 'CONNECTIONS',
    distribution: { feedDistribution: 'MAIN_FEED', targetEntities: [], thirdPartyDistributionChannels: [] },
    ...(article && { content: { article } }),
    lifecycleState: 'PUBLISHED',
    isReshareDisabledByAuthor: false,
  };
}
