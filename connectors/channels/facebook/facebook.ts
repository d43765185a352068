import { z } from 'zod';
import type { Payload } from '../../../topology/payloads/payloads';
import type { WhoAmI } from '../channel-kind';
import { credentialFields } from '../credentials';
import { appIdField } from '../meta/app-id';
import { isUnanswered } from '../provider/api';
import { apiServer } from '../provider/api-server';
import { providerKind } from '../provider/provider-channel';
import { meaningOf, wordsOf } from './facebook-answers';
import { type FacebookPost, originOf, requestTo } from './facebook-api';
import { findPost } from './facebook-lookup';
import { uploadPhotos } from './facebook-photos';

/** A request that nobody waits for any more may run on in Facebook, and a post be missing in the page's feed, for so long. */
const ACCEPTED_LATE_MS = 75_000;
/** Facebook asks for less than 4 MB. */
const MAX_PHOTO_BYTES = 4_000_000 - 1;

const credentials = z.strictObject({
  page: z
    .string()
    .regex(/^\d{1,20}$/, 'expected the id of the page, which is a number')
    .register(credentialFields, { prompt: 'Page id', isSecret: false }),
  token: z
    .string()
    .regex(/^[\x21-\x7e]{8,2048}$/, 'expected a page access token with pages_manage_posts and pages_read_engagement')
    .register(credentialFields, { prompt: 'Page access token', isSecret: true }),
  version: z
    .string()
    .regex(/^v[1-9]\d{0,2}\.\d$/, 'expected a version of the Graph API, such as v25.0')
    .optional()
    .register(credentialFields, {
      prompt: "Version of the Graph API, or nothing for the channel's own",
      isSecret: false,
    }),
  appId: appIdField(),
  server: apiServer('https://graph.facebook.com'),
});

const owner = z.object({ id: z.string(), name: z.string().optional() });

/** Posts of pages on Facebook. What the answers mean is in docs/channels.md. */
export const facebook = providerKind({
  name: 'facebook',
  class: 'lookup',
  acceptedLateMs: ACCEPTED_LATE_MS,
  receiptIs: "the post's id, as <page>_<number>",
  credentials,
  originOf,
  appOf: ({ appId }) => appId,
  prepare: postOf,
  media: { types: ['image/jpeg', 'image/png'], maxBytes: MAX_PHOTO_BYTES },
  async send(post, sending) {
    const { credentials: account, apiVersion, publish, inDoubt, now, files } = sending;
    const photos = await uploadPhotos(files, sending);
    if (!Array.isArray(photos)) return photos;
    const json = photos.length === 0 ? post : { ...post, attached_media: photos.map((id) => ({ media_fbid: id })) };
    const ended = await publish(requestTo(account, apiVersion, { method: 'POST', path: `${account.page}/feed`, json }));
    return isUnanswered(ended) ? ended : meaningOf(ended, { inDoubt, now: now() });
  },
  lookup: findPost,
  async whoAmI({ credentials: account, apiVersion, ask }): Promise<WhoAmI> {
    const query = { fields: 'id,name' };
    const ended = await ask(requestTo(account, apiVersion, { method: 'GET', path: 'me', query }));
    if (isUnanswered(ended)) return { kind: 'no', reason: ended === 'not_started' ? 'interrupted' : ended.reason };
    const { success, data } = owner.safeParse(ended.json());
    if (!ended.isOk || !success) return { kind: 'no', reason: wordsOf(ended) };
    // Pages may have the same name.
    const name = `${data.name ?? 'page'} (${data.id})`;
    if (data.id !== account.page) {
      return { kind: 'no', reason: ended.shown(`the token is of ${name}, not of the page ${account.page}`) };
    }
    return { kind: 'ok', name: ended.shown(name) };
  },
});

/** The body of the request: a function of the row alone, so that each attempt has the same. */
function postOf({ text, link }: Payload<'facebook'>): FacebookPost {
  return { message: text, ...(link === undefined ? {} : { link }) };
}
