import { z } from 'zod';
import { mediaByUrl } from './media';
import { fields } from './payload-field';
import { codePoints, whatIsTooLong } from './text-length';

const USUAL_LIMIT = 500;
const MAX_LIMIT = 10_000;
/** Nothing longer is counted. UTF-16 units. */
const MAX_UNITS = 40_000;
const MAX_IMAGES = 20;
const MAX_ALT = 1_000;
/** What is shown as an emoji, and not as a sign of the text. */
const EMOJI = /\p{Emoji_Presentation}|\p{Regional_Indicator}|\ufe0f|\u20e3/u;

const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' });

/** A post on Threads. */
export const threads = z
  .strictObject({
    text: z
      .string()
      .max(MAX_UNITS, { abort: true })
      .refine((text) => text.trim() !== '', 'expected a text, got blanks')
      .optional()
      .register(fields, { option: 'text', placeholder: 'text', takes: 'text', description: 'the post' }),
    replyTo: z
      .string()
      .regex(/^\d{1,32}$/, 'expected the id of a post on Threads, such as 18012345678901234')
      .optional()
      .register(fields, {
        option: 'reply-to',
        placeholder: 'id',
        takes: 'text',
        description: 'the id of the post that it answers',
      }),
    link: z
      .url({ protocol: /^https?$/, error: 'expected an http or https URL' })
      .max(2_000)
      .optional()
      .register(fields, {
        option: 'link',
        placeholder: 'url',
        takes: 'text',
        description: 'shown below a text without images as a card',
      }),
    replies: z.enum(['everyone', 'followed', 'mentioned']).optional().register(fields, {
      option: 'replies',
      placeholder: 'who',
      takes: 'text',
      description: 'who may answer: everyone, those whom the account follows, or those who are mentioned',
    }),
    media: mediaByUrl({ most: MAX_IMAGES, maxAlt: MAX_ALT, video: 'besides' }),
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
  })
  .check(({ value: { text, link, media, limit = USUAL_LIMIT }, issues }) => {
    const message = whatIsTooLong(counted(text ?? ''), limit, 'Threads, an emoji by its bytes,');
    if (message !== undefined) issues.push({ code: 'custom', path: ['text'], message, input: text });
    if (text === undefined && media === undefined) {
      issues.push({ code: 'custom', path: ['text'], message: 'expected a text, or media', input: text });
    }
    if (link !== undefined && media !== undefined) {
      const either = 'expected either media or a link below the post; a link may stand in the text';
      issues.push({ code: 'custom', path: ['media'], message: either, input: media });
    }
  });

/** An emoji counts as the bytes that it takes as UTF-8, everything else by code points. */
function counted(text: string): number {
  let count = 0;
  for (const { segment } of segmenter.segment(text)) {
    count += EMOJI.test(segment) ? Buffer.byteLength(segment) : codePoints(segment);
  }
  return count;
}
