import { z } from 'zod';
import { littleText } from './little-text';
import { media } from './media';
import { fields } from './payload-field';
import { whatIsTooLong } from './text-length';

const USUAL_LIMIT = 3_000;
/** Each character that LinkedIn reserves has a backslash before it, so a text of nothing else is twice as long. */
const MAX_LIMIT = 2 * USUAL_LIMIT;
/** Nothing longer is counted. UTF-16 units. */
const MAX_UNITS = 40_000;
const MAX_TITLE = 400;
const MAX_DESCRIPTION = 4_000;
const MAX_IMAGES = 20;
const MAX_ALT = 4_000;

/** A post of a person or an organization on LinkedIn. */
export const linkedin = z
  .strictObject({
    text: z
      .string()
      .max(MAX_UNITS, { abort: true })
      .refine((text) => text.trim() !== '', 'expected a text, got blanks')
      .register(fields, {
        option: 'text',
        placeholder: 'text',
        takes: 'text',
        description: 'the post; #hashtags and @[Name](urn:li:organization:123) mean what they mean on LinkedIn',
      }),
    link: z
      .url({ protocol: /^https?$/, error: 'expected an http or https URL' })
      .max(2_000)
      .optional()
      .register(fields, {
        option: 'link',
        placeholder: 'url',
        takes: 'text',
        description: 'shown below the post as a card, with its title',
      }),
    title: z.string().min(1).max(MAX_TITLE).optional().register(fields, {
      option: 'title',
      placeholder: 'text',
      takes: 'text',
      description: 'of the link; LinkedIn does not read it from the page',
    }),
    description: z.string().min(1).max(MAX_DESCRIPTION).optional().register(fields, {
      option: 'description',
      placeholder: 'text',
      takes: 'text',
      description: 'of the link',
    }),
    visibility: z.enum(['public', 'connections']).optional().register(fields, {
      option: 'visibility',
      placeholder: 'who',
      takes: 'text',
      description: 'public, or connections for posts of a person; public unless given',
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
        description: `how many characters are allowed, each backslash before a reserved one counted; ${USUAL_LIMIT} unless given`,
      }),
    media: media({ most: MAX_IMAGES, maxAlt: MAX_ALT, video: 'alone' }),
  })
  .check(({ value: { text, link, title, description, media: images, limit = USUAL_LIMIT }, issues }) => {
    const count = littleText(text).length;
    const message = whatIsTooLong(count, limit, 'LinkedIn, with a backslash before each of \\|{}@[]()<>#*_~,');
    if (message !== undefined) issues.push({ code: 'custom', path: ['text'], message, input: text });
    if (link !== undefined && images !== undefined) {
      const either = 'expected either media or a link below the post; a link may stand in the text';
      issues.push({ code: 'custom', path: ['media'], message: either, input: images });
    }
    if (link !== undefined && title === undefined) {
      issues.push({ code: 'custom', path: ['title'], message: 'expected the title of the link', input: title });
    }
    if (link === undefined && (title !== undefined || description !== undefined)) {
      issues.push({ code: 'custom', path: ['link'], message: 'expected the link that has the title', input: link });
    }
  });
