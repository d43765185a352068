import { z } from 'zod';
import { media } from './media';
import { fields } from './payload-field';
import { whatIsTooLong } from './text-length';

/** What Facebook is said to take; it documents no limit. */
const USUAL_LIMIT = 63_206;
const MAX_LIMIT = 100_000;
/** Nothing longer is counted. UTF-16 units. */
const MAX_UNITS = 400_000;
/** Facebook shows whoever looks no more than twelve photos of a post. */
const MAX_PHOTOS = 10;
const MAX_ALT = 1_000;

/** A post of a page on Facebook. */
export const facebook = z
  .strictObject({
    text: z
      .string()
      .max(MAX_UNITS, { abort: true })
      .refine((text) => text.trim() !== '', 'expected a text, got blanks')
      .refine((text) => !/\p{Cs}/u.test(text), 'expected text without halves of characters')
      .refine((text) => !/@\[\d/.test(text), 'expected no @[…], which Facebook makes a name of')
      .register(fields, { option: 'text', placeholder: 'text', takes: 'text', description: 'the post' }),
    link: z
      .url({ protocol: /^https?$/, error: 'expected an http or https URL' })
      .max(2_000)
      .optional()
      .register(fields, {
        option: 'link',
        placeholder: 'url',
        takes: 'text',
        description: 'shown below the post as a card, which Facebook makes from the page at the URL',
      }),
    limit: z
      .int()
      .min(1)
      .max(MAX_LIMIT)
      .optional()
      .register(fields, {
        option: 'limit',
        placeholder: 'n',
        takes: 'json',
        description: `how many characters are allowed; ${USUAL_LIMIT} unless given`,
      }),
    media: media({ most: MAX_PHOTOS, maxAlt: MAX_ALT }),
  })
  .check(({ value: { text, link, media: photos, limit = USUAL_LIMIT }, issues }) => {
    const message = whatIsTooLong(text.length, limit, 'Facebook');
    if (message !== undefined) issues.push({ code: 'custom', path: ['text'], message, input: text });
    if (link !== undefined && photos !== undefined) {
      const either = 'expected either media or a link below the post; a link may stand in the text';
      issues.push({ code: 'custom', path: ['media'], message: either, input: photos });
    }
  });
