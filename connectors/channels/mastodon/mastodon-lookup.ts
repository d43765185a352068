import { z } from 'zod';
import type { LookupAnswer } from '../../../bolts/channel';
import type { MediaItem } from '../../../topology/payloads/media';
import type { Reply } from '../http/reply';
import { type ApiEnd, isUnanswered, type Unclear, unclear, unread } from '../provider/api';
import { skewOf } from '../provider/clock-skew';
import { IMAGES_UNCLEAR, imagesAlike } from '../provider/images-alike';
import type { Looking } from '../provider/provider-channel';
import { keptVideo } from '../provider/video';
import { meaningOf } from './mastodon-answers';
import { type MastodonCredentials, type MastodonStatus, urlOf } from './mastodon-status';

const PAGE = 40;
/** Beyond so many newer posts nothing is certain. */
const MAX_PAGES = 10;
/** Posts that look alike and whose text is asked for. */
const MAX_ALIKE = 40;
/** Characters by which posts are told apart before their text is asked for. */
const BEGINNING = 100;
/** Of one post, UTF-16 units: many times what servers take. */
const MAX_CONTENT = 200_000;
const REPLY_UNCLEAR = 'a post with the same text may be the answer to the post that has been deleted since';

const ownAccount = z.object({ id: z.string() });
const post = z.object({
  id: z.string(),
  url: z.string().nullish(),
  uri: z.string().nullish(),
  created_at: z.iso.datetime({ offset: true }),
  visibility: z.string(),
  spoiler_text: z.string(),
  in_reply_to_id: z.string().nullish(),
  /** HTML. The server may be anybody's. */
  content: z.string().max(MAX_CONTENT),
  media_attachments: z.array(z.object({ id: z.string().optional(), description: z.string().nullish() })).optional(),
});
const posts = z.array(post);
const source = z.object({ text: z.string(), spoiler_text: z.string() });

type Post = z.infer<typeof post>;

/**
 * Whether the account has posted this since the first attempt began: a post that is no other message's. The text is compared as it
 * was written, which the server gives for one post at a time, and the images by their descriptions; what was edited or deleted
 * meanwhile is not found.
 */
export async function findStatus(
  wanted: MastodonStatus,
  { credentials, ask, notBefore, now, media, claimFirst, kept }: Looking<MastodonCredentials>,
): Promise<LookupAnswer> {
  const { in_reply_to_id } = wanted;
  const get = (path: string) => {
    const headers = { authorization: `Bearer ${credentials.token}` };
    return ask({ method: 'GET', url: urlOf(credentials, path), headers });
  };
  const own = read(await get('/api/v1/accounts/verify_credentials'), ownAccount, now());
  if ('kind' in own) return own;
  const video = (await keptVideo(media, kept))?.['video'];
  const imagesOf = (one: Post) => likenessOf(one, media, video);
  const since = notBefore - skewOf(own.reply, now());
  const alike: Post[] = [];
  let older = '';
  for (let page = 0; ; page++) {
    if (page === MAX_PAGES || alike.length > MAX_ALIKE) {
      return { kind: 'unknown', reason: 'the account has posted too much since to find this post among it' };
    }
    const path = `/api/v1/accounts/${encodeURIComponent(own.value.id)}/statuses?limit=${PAGE}&exclude_reblogs=true${older}`;
    const listed = read(await get(path), posts, now());
    if ('kind' in listed) return listed;
    const recent = listed.value.filter(({ created_at }) => Date.parse(created_at) >= since);
    alike.push(...recent.filter((one) => looksLike(one, wanted) && imagesOf(one) !== 'other'));
    const last = listed.value.at(-1);
    if (last === undefined || recent.length < listed.value.length) break;
    older = `&max_id=${encodeURIComponent(last.id)}`;
  }
  // The oldest first: it is the one of the first attempt. Those that are seen by others than was asked for may be another message's.
  const isExact = ({ visibility }: Post) => wanted.visibility === undefined || visibility === wanted.visibility;
  const ordered = alike.toReversed().toSorted((one, other) => Number(isExact(other)) - Number(isExact(one)));
  let unclearBecause: string | undefined;
  let answered: Awaited<ReturnType<typeof get>> | undefined;
  for (const one of ordered) {
    const { id, url, uri } = one;
    const written = read(await get(`/api/v1/statuses/${encodeURIComponent(id)}/source`), source, now());
    if ('kind' in written) return written;
    if (written.value.text.trim() !== wanted.status.trim()) continue;
    if (imagesOf(one) === 'unclear') {
      unclearBecause = IMAGES_UNCLEAR;
      continue;
    }
    if (answeredBy(one) !== in_reply_to_id) {
      // It answers none: it never has, or what it answered has been deleted.
      answered ??= await get(`/api/v1/statuses/${encodeURIComponent(in_reply_to_id ?? '')}`);
      if (isUnanswered(answered)) return unclear(answered);
      if (!answered.isOk && answered.status !== 404) return unread(meaningOf(answered, now()), saidBy(answered));
      if (!answered.isOk) unclearBecause = REPLY_UNCLEAR;
      continue;
    }
    // As `meaningOf` has it, so that it is the receipt of whichever message the post is of.
    const claimed = await claimFirst([written.reply.shown(url ?? uri ?? id)]);
    if (typeof claimed === 'string') return { kind: 'accepted', receipt: claimed };
    if (claimed !== undefined) return claimed;
  }
  return unclearBecause === undefined ? { kind: 'absent' } : { kind: 'unknown', reason: unclearBecause };
}

/** @param video under which id the server was given it */
function likenessOf({ media_attachments: images }: Post, media: readonly MediaItem[], video: string | undefined) {
  if (video !== undefined && images?.some(({ id }) => id === video) === true) return 'same';
  return imagesAlike(
    media,
    images?.map(({ description }) => description),
  );
}

/**
 * Of an account that its moderators have limited a server keeps what was to be public as unlisted. A post whose answered post was deleted
 * answers none any more.
 */
function looksLike(one: Post, { status, visibility, spoiler_text = '', in_reply_to_id }: MastodonStatus): boolean {
  const answered = answeredBy(one);
  return (
    (visibility === undefined ||
      one.visibility === visibility ||
      (visibility === 'public' && one.visibility === 'unlisted')) &&
    one.spoiler_text.trim() === spoiler_text.trim() &&
    (answered === undefined || answered === in_reply_to_id) &&
    lettersOf(textIn(one.content)).startsWith(lettersOf(beginningOf(status)))
  );
}

function answeredBy({ in_reply_to_id }: Post): string | undefined {
  return in_reply_to_id ?? undefined;
}

/** As far as the server shows a text as it was written: it shortens mentions and URLs. */
function beginningOf(text: string): string {
  return text.slice(0, Math.min(BEGINNING, text.search(/@|https?:|$/)));
}

function lettersOf(text: string): string {
  return text.replace(/[^\p{L}\p{N}]/gu, '');
}

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', '#39': "'" };

function textIn(html: string): string {
  return html.replace(/<[^<>]*>/g, ' ').replace(/&(lt|gt|amp|quot|#39);/g, (_, name: string) => ENTITIES[name] ?? '');
}

function read<T>(
  ended: ApiEnd,
  schema: z.ZodType<T>,
  now: number,
): { readonly value: T; readonly reply: Reply } | Unclear {
  if (isUnanswered(ended)) return unclear(ended);
  const result = schema.safeParse(ended.json());
  if (ended.isOk && result.success) return { value: result.data, reply: ended };
  return unread(meaningOf(ended, now), saidBy(ended));
}

function saidBy(reply: Reply): string {
  return `HTTP ${reply.status}: ${reply.shown()}`;
}
