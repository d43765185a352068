import type { MediaItem } from '../../../topology/payloads/media';

/** Why a lookup does not take a post for the message's own, although it reads the same. */
export const IMAGES_UNCLEAR =
  'a post with the same text has images that cannot be told from those of this message, because not all have an alt';

/**
 * Whether a post that a lookup has found has the images of a message: a text from a template may stand below many of them. Only
 * what they show, in words, tells them apart, because providers make other files of images.
 * @param alts of the post's images, in their order; undefined where the provider does not list them
 */
export function imagesAlike(
  wanted: readonly MediaItem[],
  alts: readonly (string | null | undefined)[] | undefined,
): 'same' | 'other' | 'unclear' {
  if (alts === undefined) return wanted.length === 0 ? 'same' : 'unclear';
  if (alts.length !== wanted.length) return 'other';
  const pairs = wanted.map(({ alt }, index) => [wordsOf(alt), wordsOf(alts[index])] as const);
  const known = pairs.filter(([ours, theirs]) => ours !== '' && theirs !== '');
  if (known.some(([ours, theirs]) => ours !== theirs)) return 'other';
  return known.length === pairs.length ? 'same' : 'unclear';
}

function wordsOf(alt: string | null | undefined): string {
  return (alt ?? '').replace(/\s+/gu, ' ').trim();
}
