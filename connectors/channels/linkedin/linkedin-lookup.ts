import { z } from 'zod';
import type { LookupAnswer } from '../../../bolts/channel';
import { plainText } from '../../../topology/payloads/little-text';
import { isUnanswered, unclear, unread } from '../provider/api';
import { skewOf } from '../provider/clock-skew';
import { IMAGES_UNCLEAR, imagesAlike } from '../provider/images-alike';
import type { Looking } from '../provider/provider-channel';
import { meaningOf, wordsOf } from './linkedin-answers';
import { isOrganization, type LinkedinCredentials, type LinkedinPost, newestPosts } from './linkedin-api';

/** One page: a second one could miss a post that is edited meanwhile, because pages are counted from the newest change. */
const PAGE = 100;

const image = z.object({ altText: z.string().nullish() });
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
 * Whether the organization has posted this since the first attempt began. What a person has posted may not be read. What was edited
 * or deleted meanwhile is not found.
 */
export async function findPost(
  wanted: LinkedinPost,
  { credentials, apiVersion, ask, notBefore, now, id, media }: Looking<LinkedinCredentials>,
): Promise<LookupAnswer> {
  if (!isOrganization(credentials)) {
    return { kind: 'unknown', reason: 'LinkedIn does not let apps read what a person has posted' };
  }
  const ended = await ask(newestPosts(credentials, apiVersion, PAGE));
  if (isUnanswered(ended)) return unclear(ended);
  const read = page.safeParse(ended.json());
  if (!ended.isOk || !read.success) {
    const meant = meaningOf(ended, { inDoubt: false, now: now(), id });
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
  const imagesOf = ({ content }: (typeof alike)[number]) => {
    const single = content?.media === undefined ? [] : [content.media];
    return imagesAlike(
      media,
      (content?.multiImage?.images ?? single).map(({ altText }) => altText),
    );
  };
  // The oldest: it is the one of the first attempt.
  const [first] = alike
    .filter((one) => imagesOf(one) === 'same')
    .toSorted((one, other) => one.createdAt - other.createdAt);
  if (first !== undefined) return { kind: 'accepted', receipt: ended.shown(first.id) };
  if (alike.some((one) => imagesOf(one) === 'unclear')) return { kind: 'unknown', reason: IMAGES_UNCLEAR };
  const isLast = elements.length < PAGE && paging?.links.some(({ rel }) => rel === 'next') !== true;
  return isLast || elements.some(({ lastModifiedAt }) => lastModifiedAt < since)
    ? { kind: 'absent' }
    : { kind: 'unknown', reason: 'the organization has posted too much since to find this post among it' };
}
