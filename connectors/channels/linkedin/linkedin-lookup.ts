import { z } from 'zod';
import type { LookupAnswer } from '../../../bolts/channel';
import { plainText } from '../../../topology/payloads/little-text';
import { isUnanswered, unclear, unread } from '../provider/api';
import { skewOf } from '../provider/clock-skew';
import type { Looking } from '../provider/provider-channel';
import { meaningOf, wordsOf } from './linkedin-answers';
import { isOrganization, type LinkedinCredentials, type LinkedinPost, newestPosts } from './linkedin-api';

/** One page: a second one could miss a post that is edited meanwhile, because pages are counted from the newest change. */
const PAGE = 100;

const page = z.object({
  elements: z.array(
    z.object({
      id: z.string(),
      commentary: z.string().default(''),
      createdAt: z.number(),
      lastModifiedAt: z.number(),
      content: z.object({ article: z.object({ source: z.string() }).optional() }).optional(),
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
  { credentials, apiVersion, ask, notBefore, now, id }: Looking<LinkedinCredentials>,
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
  // The oldest: it is the one of the first attempt.
  const [first] = alike.toSorted((one, other) => one.createdAt - other.createdAt);
  if (first !== undefined) return { kind: 'accepted', receipt: ended.shown(first.id) };
  const isLast = elements.length < PAGE && paging?.links.some(({ rel }) => rel === 'next') !== true;
  return isLast || elements.some(({ lastModifiedAt }) => lastModifiedAt < since)
    ? { kind: 'absent' }
    : { kind: 'unknown', reason: 'the organization has posted too much since to find this post among it' };
}
