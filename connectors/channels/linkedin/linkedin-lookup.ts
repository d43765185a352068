import { z } from 'zod';
import type { LookupAnswer } from '../../../bolts/channel';
import type { Outcome } from '../../../topology/message';
import { plainText } from '../../../topology/payloads/little-text';
import { isUnanswered, unclear, unread } from '../provider/api';
import { skewOf } from '../provider/clock-skew';
import { IMAGES_UNCLEAR, imagesAlike } from '../provider/images-alike';
import type { Looking, Publishing } from '../provider/provider-channel';
import { keptVideo } from '../provider/video';
import { meaningOf, wordsOf } from './linkedin-answers';
import { isOrganization, type LinkedinCredentials, type LinkedinPost, newestPosts, requestTo } from './linkedin-api';

/** One page: a second one could miss a post that is edited meanwhile, because pages are counted from the newest change. */
const PAGE = 100;

const image = z.object({ id: z.string().optional(), altText: z.string().nullish() });
const page = z.object({
  elements: z.array(
    z.object({
      id: z.string(),
      commentary: z.string().default(''),
      createdAt: z.number(),
      lastModifiedAt: z.number(),
      content: z
        .object({
          article: z.object({ source: z.string() }).optional(),
          media: image.optional(),
          multiImage: z.object({ images: z.array(image) }).optional(),
        })
        .optional(),
    }),
  ),
  paging: z.object({ links: z.array(z.object({ rel: z.string() })).default([]) }).optional(),
});

/**
 * Whether the organization has posted this since the first attempt began: a post that is no other message's. What a person has
 * posted may not be read. What was edited or deleted meanwhile is not found.
 */
export async function findPost(
  wanted: LinkedinPost,
  { credentials, apiVersion, ask, notBefore, now, id, media, claimFirst, kept }: Looking<LinkedinCredentials>,
): Promise<LookupAnswer> {
  if (!isOrganization(credentials)) {
    return { kind: 'unknown', reason: 'LinkedIn does not let apps read what a person has posted' };
  }
  const ended = await ask(newestPosts(credentials, apiVersion, PAGE));
  if (isUnanswered(ended)) return unclear(ended);
  const read = page.safeParse(ended.json());
  if (!ended.isOk || !read.success) {
    const meant = meaningOf(ended, { now: now(), id });
    return unread(meant, `LinkedIn does not show the posts (HTTP ${ended.status}: ${wordsOf(ended)})`);
  }
  const { elements, paging } = read.data;
  const since = notBefore - skewOf(ended, now());
  const text = plainText(wanted.commentary).trim();
  const alike = elements.filter(
    ({ createdAt, commentary, content }) =>
      createdAt >= since &&
      plainText(commentary).trim() === text &&
      content?.article?.source === wanted.content?.article.source,
  );
  const video = (await keptVideo(media, kept))?.['video'];
  const imagesOf = ({ content }: (typeof alike)[number]) => {
    if (video !== undefined && content?.media?.id === video) return 'same';
    const single = content?.media === undefined ? [] : [content.media];
    return imagesAlike(
      media,
      (content?.multiImage?.images ?? single).map(({ altText }) => altText),
    );
  };
  // The oldest first: it is the one of the first attempt.
  const byAge = alike
    .filter((one) => imagesOf(one) === 'same')
    .toSorted((one, other) => one.createdAt - other.createdAt);
  const own = await claimFirst(byAge.map((one) => ended.shown(one.id)));
  if (typeof own === 'string') return { kind: 'accepted', receipt: own };
  if (own !== undefined) return own;
  if (alike.some((one) => imagesOf(one) === 'unclear')) return { kind: 'unknown', reason: IMAGES_UNCLEAR };
  const isLast = elements.length < PAGE && paging?.links.some(({ rel }) => rel === 'next') !== true;
  return isLast || elements.some(({ lastModifiedAt }) => lastModifiedAt < since)
    ? { kind: 'absent' }
    : { kind: 'unknown', reason: 'the organization has posted too much since to find this post among it' };
}

const shownPost = z.object({ id: z.string(), createdAt: z.number() });

/**
 * What it means that LinkedIn refuses a post in doubt, which a lookup has just not found, as a duplicate: the post that it names is of
 * an earlier attempt and not listed yet, or is another one, and then this one may be taken later.
 * @param refused what the refusal means by itself
 * @param hasImages which LinkedIn may not compare when it looks for duplicates
 */
export async function foundAsDuplicate(
  urn: string | undefined,
  sending: Publishing<LinkedinCredentials>,
  refused: Extract<Outcome, { kind: 'rejected' }>,
  hasImages: boolean,
): Promise<Outcome> {
  const { credentials, apiVersion, ask, now, notBefore, claimFirst } = sending;
  const unknown = (why: string): Outcome => ({ ...refused, kind: 'unknown', reason: `${refused.reason}; ${why}` });
  if (urn === undefined || hasImages) return unknown('LinkedIn does not say whether it is this one');
  const path = `/rest/posts/${encodeURIComponent(urn)}`;
  const ended = await ask(requestTo(credentials, apiVersion, { method: 'GET', path }));
  if (isUnanswered(ended)) return unknown('it could not be asked for');
  const { success, data } = shownPost.safeParse(ended.json());
  if (!ended.isOk || !success) return unknown(`LinkedIn does not show it (HTTP ${ended.status}: ${wordsOf(ended)})`);
  if (data.createdAt < notBefore - skewOf(ended, now())) return unknown('it is older than this message');
  // The refusal may name it by another URN than that which is its receipt.
  const own = await claimFirst([ended.shown(data.id)]);
  if (typeof own !== 'string') return unknown(own === undefined ? 'it is of another message' : own.reason);
  return { kind: 'delivered', receipt: own, ...(refused.status === undefined ? {} : { status: refused.status }) };
}
