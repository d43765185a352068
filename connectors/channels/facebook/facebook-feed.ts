import { z } from 'zod';
import type { FacebookPost } from './facebook-api';

const photo = z.object({
  media_type: z.string().optional().catch(undefined),
  target: z.object({ id: z.string() }).optional().catch(undefined),
  url: z.string().optional().catch(undefined),
  /** Without Facebook's own address around it. */
  unshimmed_url: z.string().optional().catch(undefined),
});
const attachment = photo.extend({
  subattachments: z
    .object({ data: z.array(photo) })
    .optional()
    .catch(undefined),
});

const feedPost = z.object({
  id: z.string().regex(/^\d{1,40}(?:_\d{1,40})?$/),
  message: z.string().default(''),
  /** Epoch milliseconds. */
  created_time: z
    .string()
    .transform((text) => Date.parse(text))
    .pipe(z.number()),
  /** Visitors' posts are in a page's feed too, and are often nobody's for an app. */
  from: z.object({ id: z.string() }).optional().catch(undefined),
  is_published: z.boolean().optional().catch(undefined),
  attachments: z.object({ data: z.array(attachment) }).optional(),
});
export type FeedPost = z.infer<typeof feedPost>;

/** A page of a feed. The address of the next one has the token in it, and is not used: its cursor will do. */
export const feedPage = z.object({
  data: z.array(feedPost),
  paging: z
    .object({
      cursors: z.object({ after: z.string().max(2_000).optional() }).optional(),
      next: z.string().optional(),
    })
    .optional(),
});

/** Facebook shows 12 photos of a post where nobody asks for more. */
const MOST_PHOTOS = 20;
const ATTACHMENT = 'media_type,target{id},url,unshimmed_url';
export const FEED_FIELDS = `id,message,created_time,from,is_published,attachments{${ATTACHMENT},subattachments.limit(${MOST_PHOTOS}){${ATTACHMENT}}}`;

/** What stands below a post. */
interface Below {
  /** The ids of its photos; undefined where Facebook does not say one. */
  readonly photos: readonly (string | undefined)[];
  readonly links: readonly string[];
  /** Whether something is there of which Facebook does not say what it is. */
  readonly isUnclear: boolean;
}

export function belowOf({ attachments }: FeedPost): Below {
  const all = (attachments?.data ?? []).flatMap((one) => one.subattachments?.data ?? [one]);
  const photos = all.filter(({ media_type }) => media_type === 'photo');
  const others = all.filter(({ media_type }) => media_type !== 'photo');
  return {
    photos: photos.map(({ target }) => target?.id),
    links: others.flatMap(({ unshimmed_url, url }) => unshimmed_url ?? url ?? []),
    isUnclear: others.some(({ media_type }) => media_type === undefined || media_type === 'album'),
  };
}

export function readsTheSame(post: FeedPost, { message }: FacebookPost): boolean {
  return plain(post.message) === plain(message);
}

/**
 * Whether a post's link is that of a message. Facebook follows links and shows the address that a page gives of itself, so another
 * address decides nothing; and it makes a card of an address in the text.
 */
export function linkAlike(links: readonly string[], { link, message }: FacebookPost): 'same' | 'other' | 'unclear' {
  if (link !== undefined) return links.some((one) => addressOf(one) === addressOf(link)) ? 'same' : 'unclear';
  return links.length === 0 || hasAddress(message) ? 'same' : 'other';
}

/**
 * Whether a post has as many photos as a message. An address may lead to a photo, which then stands below the post, and photos may be
 * shown only when Facebook has done with them.
 */
export function countAlike(
  photos: number,
  wanted: number,
  { link, message }: FacebookPost,
): 'same' | 'other' | 'unclear' {
  if (photos === wanted) return 'same';
  if (photos < wanted) return 'unclear';
  return wanted === 0 && (link !== undefined || hasAddress(message)) ? 'unclear' : 'other';
}

function hasAddress(text: string): boolean {
  return /\w\.\w/.test(text);
}

/** Without what nobody sees: Facebook may leave it out. */
function plain(text: string): string {
  const seen = text.normalize('NFC').replace(/\s+/gu, ' ').replace(/\p{C}/gu, '');
  return seen.replace(/ +/g, ' ').trim();
}

function addressOf(text: string): string {
  if (!URL.canParse(text)) return text;
  const { host, pathname, search } = new URL(text);
  return host + pathname.replace(/\/$/, '') + search;
}
