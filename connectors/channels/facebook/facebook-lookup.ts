import { z } from 'zod';
import type { LookupAnswer } from '../../../bolts/channel';
import type { Reply } from '../http/reply';
import { graphErrorIn } from '../meta/graph-error';
import { type ApiEnd, isUnanswered, type Unclear, unclear, unread } from '../provider/api';
import { skewOf } from '../provider/clock-skew';
import { IMAGES_UNCLEAR, imagesAlike } from '../provider/images-alike';
import type { Looking } from '../provider/provider-channel';
import { meaningOf, wordsOf } from './facebook-answers';
import { type FacebookCredentials, type FacebookPost, requestTo } from './facebook-api';
import { belowOf, countAlike, FEED_FIELDS, type FeedPost, feedPage, linkAlike, readsTheSame } from './facebook-feed';

/** Facebook refuses to show much at once. */
const PAGE = 25;
/** Beyond so many newer posts nothing is certain. */
const MAX_PAGES = 12;
/** How much the clocks of Facebook's hosts may differ. */
const HOSTS_DIFFER_MS = 10_000;
/** Posts that read the same, of which is asked what their photos show. */
const MAX_ALIKE = 20;

const alts = z.record(z.string(), z.object({ alt_text_custom: z.string().nullish() }));

type Look = Looking<FacebookCredentials>;
type Likeness = 'same' | 'other' | { readonly unclear: string };

/**
 * Whether the page has posted this since the first attempt began: a post with the same text, link and photos that is no other
 * message's. What was edited or deleted meanwhile is not found.
 */
export async function findPost(wanted: FacebookPost, looking: Look): Promise<LookupAnswer> {
  const feed = await postsSince(wanted, looking);
  if ('kind' in feed) return feed;
  const same: FeedPost[] = [];
  const reasons: string[] = [];
  for (const post of feed.posts) {
    const likeness = await likenessOf(post, wanted, looking);
    if (likeness === 'same') same.push(post);
    else if (typeof likeness !== 'string' && 'kind' in likeness) return likeness;
    else if (likeness !== 'other') reasons.push(likeness.unclear);
  }
  // The oldest first: it is the one of the first attempt. A feed begins with the newest, and its times are in whole seconds.
  const byAge = same.toReversed().toSorted((one, other) => one.created_time - other.created_time);
  const own = await looking.claimFirst(byAge.map(({ id }) => id));
  if (typeof own === 'string') return { kind: 'accepted', receipt: own };
  if (own !== undefined) return own;
  const reason = reasons[0] ?? feed.uncovered;
  return reason === undefined ? { kind: 'absent' } : { kind: 'unknown', reason };
}

interface Feed {
  /** Posts that read the same, in the order of the feed. */
  readonly posts: readonly FeedPost[];
  /** Why there may be others. */
  readonly uncovered: string | undefined;
}

/** Reads the feed back to the first attempt. */
async function postsSince(wanted: FacebookPost, looking: Look): Promise<Feed | Unclear> {
  const { credentials, apiVersion, ask, notBefore, now } = looking;
  const path = `${credentials.page}/feed`;
  const found = new Map<string, FeedPost>();
  let isAnyShown = false;
  let after: string | undefined;
  const feed = (uncovered?: string): Feed => ({ posts: [...found.values()], uncovered });
  for (let pages = 0; pages < MAX_PAGES; pages++) {
    const query = {
      fields: FEED_FIELDS,
      include_hidden: 'true',
      limit: String(PAGE),
      ...(after === undefined ? {} : { after }),
    };
    const listed = read(await ask(requestTo(credentials, apiVersion, { method: 'GET', path, query })), feedPage, now());
    if ('kind' in listed) return listed;
    const {
      value: { data, paging },
      reply,
    } = listed;
    const since = notBefore - skewOf(reply, now()) - HOSTS_DIFFER_MS;
    const recent = data.filter(({ created_time }) => created_time >= since);
    const alike = recent.filter((post) => readsTheSame(post, wanted) && post.is_published !== false);
    for (const post of alike) found.set(post.id, post);
    if (found.size > MAX_ALIKE) return feed('the page has too many posts that read the same');
    isAnyShown ||= data.length > 0;
    // A single older post says nothing: it may be pinned, or dated back.
    if (data.length > 0 && recent.length === 0) return feed();
    if (paging?.next === undefined) {
      return isAnyShown ? feed() : feed('Facebook shows no posts of the page; perhaps the token may not read them');
    }
    after = paging.cursors?.after;
    if (after === undefined)
      return feed('the page has more posts of this time, and Facebook does not say how to see them');
  }
  return feed('the page has posted too much since to find this post among it');
}

async function likenessOf(post: FeedPost, wanted: FacebookPost, looking: Look): Promise<Likeness | Unclear> {
  const { credentials, apiVersion, ask, now, media } = looking;
  const { photos, links, isUnclear } = belowOf(post);
  const link = linkAlike(links, wanted);
  if (isUnclear) return { unclear: 'a post with the same text has something below it that Facebook does not name' };
  const count = countAlike(photos.length, media.length, wanted);
  if (link === 'other' || count === 'other') return 'other';
  if (count === 'unclear') {
    return {
      unclear: 'a post with the same text has photos of which Facebook may not show all, or shows some of its own',
    };
  }
  if (post.from?.id !== credentials.page) {
    return {
      unclear: 'a post with the same text is on the page, and Facebook does not say that it is of the page itself',
    };
  }
  if (link === 'unclear')
    return { unclear: 'a post with the same text has another link or none, which may be what Facebook made of it' };
  if (media.length === 0) return 'same';
  const ids = photos.filter((one) => one !== undefined);
  if (ids.length < photos.length) return { unclear: IMAGES_UNCLEAR };
  const query = { ids: ids.join(','), fields: 'alt_text_custom' };
  const shown = read(await ask(requestTo(credentials, apiVersion, { method: 'GET', path: '', query })), alts, now());
  if ('kind' in shown) return shown;
  const likeness = imagesAlike(
    media,
    ids.map((one) => shown.value[one]?.alt_text_custom),
  );
  return likeness === 'unclear' ? { unclear: IMAGES_UNCLEAR } : likeness;
}

function read<T>(
  ended: ApiEnd,
  schema: z.ZodType<T>,
  now: number,
): { readonly value: T; readonly reply: Reply } | Unclear {
  if (isUnanswered(ended)) return unclear(ended);
  const { success, data } = schema.safeParse(ended.json());
  if (ended.isOk && success && graphErrorIn(ended) === undefined) return { value: data, reply: ended };
  const meant = meaningOf(ended, { inDoubt: false, now });
  return unread(meant, `Facebook does not show the page's posts (${wordsOf(ended)})`);
}
