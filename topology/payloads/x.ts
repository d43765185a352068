import { z } from 'zod';
import { media } from './media';
import { fields } from './payload-field';
import { whatIsTooLong } from './text-length';
import { isTooDense, isTweetable, tweetLength } from './tweet-text';

const USUAL_LIMIT = 280;
/** What subscribers may write. */
const MAX_LIMIT = 25_000;
/** Nothing longer is counted. UTF-16 units. */
const MAX_UNITS = 40_000;
const MAX_IMAGES = 4;
const MAX_ALT = 1_000;

/** A post on X. */
export const x = z
  .strictObject({
    text: z
      .string()
      .max(MAX_UNITS, { abort: true })
      .refine((text) => text.trim() !== '', 'expected a text, got blanks')
      .refine(isTweetable, 'expected text without halves of characters, U+FEFF, U+FFFE and U+FFFF')
      .refine((text) => !isTooDense(text), {
        error: 'expected shorter words; one with dots may be a link',
        abort: true,
      })
      .register(fields, { option: 'text', placeholder: 'text', takes: 'text', description: 'the post' }),
    replyTo: z
      .string()
      .regex(/^[1-9]\d{0,18}$/, 'expected the id of a post, such as 1346889436626259968')
      .optional()
      .register(fields, {
        option: 'reply-to',
        placeholder: 'id',
        takes: 'text',
        description: 'the id of the post that it answers: the number at the end of its address',
      }),
    replySettings: z.enum(['following', 'mentionedUsers', 'subscribers', 'verified']).optional().register(fields, {
      option: 'reply-settings',
      placeholder: 'who',
      takes: 'text',
      description: 'who may answer: following, mentionedUsers, subscribers or verified; everybody unless given',
    }),
    media: media({ most: MAX_IMAGES, maxAlt: MAX_ALT, video: 'alone' }),
    limit: z
      .int()
      .min(1)
      .max(MAX_LIMIT)
      .optional()
      .register(fields, {
        option: 'limit',
        placeholder: 'n',
        takes: 'json',
        description: `how many characters the account may write, as X counts them; ${USUAL_LIMIT} unless given`,
      }),
  })
  .check(({ value: { text, limit = USUAL_LIMIT }, issues }) => {
    const message = whatIsTooLong(tweetLength(text), limit, 'X');
    if (message !== undefined) issues.push({ code: 'custom', path: ['text'], message, input: text });
  });
