const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' });

/** How many characters a reader sees. A letter with its accents is one, and so is an emoji that is made of several. */
export function graphemes(text: string): number {
  let count = 0;
  for (const _ of segmenter.segment(text)) count++;
  return count;
}

/**
 * The error of a text that is too long.
 * @param counts who counts, and what is counted with it
 * @returns undefined when it is not
 */
export function whatIsTooLong(count: number, most: number, counts: string): string | undefined {
  return count <= most ? undefined : `expected at most ${most} characters as ${counts} counts them, got ${count}`;
}

/** How many code points of Unicode a text has. An emoji that is made of several counts as many. */
export function codePoints(text: string): number {
  return text.replace(/[\ud800-\udbff][\udc00-\udfff]/g, 'x').length;
}
