import { setImmediate as turn } from 'node:timers/promises';
import { z } from 'zod';
import type { LookupAnswer } from '../../../bolts/channel';
import type { Outcome } from '../../../topology/message';
import { isUnanswered, unclear, unread } from '../provider/api';
import { skewOf } from '../provider/clock-skew';
import { IMAGES_UNCLEAR, imagesAlike } from '../provider/images-alike';
import type { Looking } from '../provider/provider-channel';
import { keptVideo } from '../provider/video';
import { meaningOf, wordsOf } from './x-answers';
import { requestTo, type XCredentials, type XPost } from './x-api';
import { comparisonWith, type XLink } from './x-text';

const PAGE = 100;
/** So many posts, each of 25,000 characters at most, are compared before others have their turn. */
const COMPARED_AT_ONCE = 10;
/** Each post that X shows costs money. Beyond so many pages nothing is certain. */
const MAX_PAGES = 5;
/** So much earlier than the first attempt is asked for, because X's clock may differ from ours. */
const MAX_SKEW_MS = 300_000;
/** Times of posts have whole seconds. */
const CREATED_STEP_MS = 1_000;

const entities = z
  .object({
    urls: z
      .array(
        z.object({
          url: z.string().nullish(),
          expanded_url: z.string().nullish(),
          media_key: z.string().nullish(),
        }),
      )
      .nullish(),
  })
  .nullish();
/** All of a text that is longer than usual. */
const note = z.object({ text: z.string(), entities }).nullish();
const references = z.array(z.object({ type: z.string(), id: z.string() })).nullish();
const post = z.object({
  id: z.string().regex(/^\d{1,19}$/),
  text: z.string(),
  created_at: z.iso.datetime({ offset: true }),
  entities,
  attachments: z.object({ media_keys: z.array(z.string()).nullish() }).nullish(),
  // X's guides and its specification name these two differently.
  note_tweet: note,
  note_post: note,
  referenced_tweets: references,
  referenced_posts: references,
});
type Post = z.infer<typeof post>;
const page = z.object({
  data: z.array(post).default([]),
  includes: z
    .object({ media: z.array(z.object({ media_key: z.string(), alt_text: z.string().nullish() })).nullish() })
    .nullish(),
  meta: z.object({ result_count: z.number(), next_token: z.string().nullish() }),
  errors: z.array(z.unknown()).default([]),
});
type Page = z.infer<typeof page>;
const owner = z.object({ data: z.object({ id: z.string().regex(/^\d{1,19}$/), username: z.string().default('') }) });
type Owner = z.infer<typeof owner>['data'];

const FIELDS = {
  'tweet.fields': 'attachments,created_at,entities,note_tweet,referenced_tweets',
  expansions: 'attachments.media_keys',
  'media.fields': 'alt_text',
};

type Asked = Pick<
  Looking<XCredentials>,
  'credentials' | 'ask' | 'sessions' | 'notBefore' | 'now' | 'media' | 'claimFirst' | 'kept'
>;

/** What was found; `others`: such posts, all of which are other messages'. */
type Found = LookupAnswer | { readonly kind: 'others' };

/**
 * Whether the user has posted this since the first attempt began, by text, links, images and the post that it answers. What was
 * edited or deleted meanwhile is not found.
 */
export async function findPost(wanted: XPost, looking: Asked): Promise<LookupAnswer> {
  const found = await search(wanted, looking);
  return found.kind === 'others' ? { kind: 'absent' } : found;
}

/** The same, where it matters that other messages have such posts. */
export async function search(wanted: XPost, looking: Asked): Promise<Found> {
  const { credentials, ask, notBefore, now, claimFirst } = looking;
  const whose = await ownerOf(looking);
  if ('kind' in whose) return whose.kind === 'rejected' ? { ...whose, kind: 'unknown' } : whose;
  // Without a fraction, as X's guides write times.
  const start = new Date(Math.max(0, notBefore - MAX_SKEW_MS)).toISOString().replace(/\.\d+Z$/, 'Z');
  const query = { max_results: String(PAGE), start_time: start, exclude: 'retweets', ...FIELDS };
  const videoKey = (await keptVideo(looking.media, looking.kept))?.['key'];
  const textsAlike = comparisonWith(wanted.text, wanted.reply !== undefined);
  let next: string | undefined;
  let doubt: string | undefined;
  let hasOthers = false;
  for (let pages = 0; pages < MAX_PAGES; pages++) {
    const at = next === undefined ? query : { ...query, pagination_token: next };
    const ended = await ask(requestTo(credentials, { method: 'GET', path: `/2/users/${whose.id}/tweets`, query: at }));
    if (isUnanswered(ended)) return unclear(ended);
    const read = page.safeParse(ended.json());
    if (!ended.isOk || !read.success) {
      const reason = `X does not show the posts (HTTP ${ended.status}: ${wordsOf(ended)})`;
      return unread(meaningOf(ended, now()), reason);
    }
    const { data, meta, errors } = read.data;
    const since = notBefore - skewOf(ended, now()) - CREATED_STEP_MS;
    const judged: (Likeness & { readonly id: string })[] = [];
    for (const [index, one] of data.filter(({ created_at }) => Date.parse(created_at) >= since).entries()) {
      if (index % COMPARED_AT_ONCE === 0) await turn();
      judged.push({ id: one.id, ...likeness(one, { ...wanted, textsAlike, videoKey }, read.data, looking) });
    }
    const same = judged.filter(({ kind }) => kind === 'same').map(({ id }) => id);
    // The oldest first: it is the one of the first attempt.
    const own = await claimFirst(same.toReversed());
    if (typeof own === 'string') return { kind: 'accepted', receipt: own };
    if (own !== undefined) return own;
    hasOthers ||= same.length > 0;
    doubt ??= judged.find(({ kind }) => kind === 'unclear')?.why;
    if (errors.length > 0) doubt ??= 'X does not show all posts of this time';
    next = meta.next_token ?? undefined;
    if (next !== undefined) continue;
    if (doubt !== undefined) return { kind: 'unknown', reason: doubt };
    return { kind: hasOthers ? 'others' : 'absent' };
  }
  return { kind: 'unknown', reason: 'the account has posted too much since to find this post among it' };
}

type Unopened = Exclude<Outcome, { kind: 'delivered' }>;

/**
 * Whose the token is, asked once. A message in doubt must be looked for among the posts of the user who sent it.
 * @returns why that is not known; `rejected` when it is another user's than the account names
 */
export function ownerOf({
  credentials,
  sessions,
  ask,
  now,
}: Pick<Looking<XCredentials>, 'credentials' | 'sessions' | 'ask'> & { readonly now: () => number }): Promise<
  Owner | Unopened
> {
  const { token, userId, server = '' } = credentials;
  return sessions.get(JSON.stringify([token, userId, server]), async () => {
    const ended = await ask(requestTo(credentials, { method: 'GET', path: '/2/users/me' }));
    if (isUnanswered(ended)) return ended === 'not_started' ? { kind: 'postponed', reason: 'the worker stops' } : ended;
    const { success, data } = owner.safeParse(ended.json());
    const { status } = ended;
    if (!ended.isOk || !success) {
      const reason = `X does not say whose the access token is (HTTP ${status}: ${wordsOf(ended)})`;
      const meant = meaningOf(ended, now());
      return meant.kind === 'delivered' || meant.kind === 'unknown' || meant.kind === 'rejected'
        ? { kind: 'unknown', reason }
        : meant;
    }
    const { id, username } = data.data;
    if (userId === undefined || userId === id) return { id, username: ended.shown(username) };
    return { kind: 'rejected', reason: `the access token is of user ${id}, not of ${userId}` };
  });
}

interface Likeness {
  readonly kind: 'same' | 'other' | 'unclear';
  readonly why?: string;
}

function likeness(
  one: Post,
  {
    reply,
    textsAlike,
    videoKey,
  }: Pick<XPost, 'reply'> & {
    readonly textsAlike: ReturnType<typeof comparisonWith>;
    readonly videoKey: string | undefined;
  },
  { includes }: Page,
  { media }: Pick<Asked, 'media'>,
): Likeness {
  const keys = one.attachments?.media_keys ?? [];
  if (videoKey !== undefined && keys.includes(videoKey)) return { kind: 'same' };
  const answered = (one.referenced_tweets ?? one.referenced_posts ?? []).find(({ type }) => type === 'replied_to');
  if (answered?.id !== reply?.in_reply_to_tweet_id) return { kind: 'other' };
  const whole = one.note_tweet ?? one.note_post ?? one;
  const links: readonly XLink[] = [...(whole.entities?.urls ?? []), ...(one.entities?.urls ?? [])];
  const texts = textsAlike(whole.text, links);
  if (texts === 'other') return { kind: 'other' };
  // They may be in work still, or withheld.
  if (media.length > 0 && keys.length === 0) {
    return { kind: 'unclear', why: 'X shows no images of a post that reads like this one' };
  }
  const images = imagesAlike(
    media,
    keys.map((key) => includes?.media?.find(({ media_key }) => media_key === key)?.alt_text),
  );
  if (images === 'other') return { kind: 'other' };
  if (texts === 'unclear') {
    return { kind: 'unclear', why: 'X does not show all of the text or the links of a post that reads like this one' };
  }
  return images === 'same' ? { kind: 'same' } : { kind: 'unclear', why: IMAGES_UNCLEAR };
}
