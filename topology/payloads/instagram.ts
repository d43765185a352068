import { z } from 'zod';
import { mediaByUrl } from './media';
import { fields } from './payload-field';
import { whatIsTooLong } from './text-length';

const USUAL_LIMIT = 2_200;
const USUAL_HASHTAGS = 30;
/** Nothing longer is counted. UTF-16 units. */
const MAX_UNITS = 40_000;
const MAX_IMAGES = 10;
const MAX_ALT = 1_000;
const HASHTAG = /(?<![\p{L}\p{N}_&])#[\p{L}\p{N}_]+/gu;

/** A post of a professional account on Instagram: an image or a video, or several, with a caption. */
export const instagram = z
  .strictObject({
    text: z
      .string()
      .max(MAX_UNITS, { abort: true })
      .refine((text) => text.trim() !== '', 'expected a text, got blanks')
      .optional()
      .register(fields, { option: 'text', placeholder: 'text', takes: 'text', description: 'the caption' }),
    media: mediaByUrl({ most: MAX_IMAGES, maxAlt: MAX_ALT, video: 'besides' }),
    limit: z
      .int()
      .min(1)
      .max(MAX_UNITS)
      .optional()
      .register(fields, {
        option: 'limit',
        placeholder: 'n',
        takes: 'json',
        description: `how many characters a caption may have; ${USUAL_LIMIT} unless given`,
      }),
    hashtags: z
      .int()
      .min(0)
      .max(1_000)
      .optional()
      .register(fields, {
        option: 'hashtags',
        placeholder: 'n',
        takes: 'json',
        description: `how many hashtags a caption may have; ${USUAL_HASHTAGS} unless given`,
      }),
  })
  .check(({ value: { text = '', media, limit = USUAL_LIMIT, hashtags = USUAL_HASHTAGS }, issues }) => {
    const message = whatIsTooLong(text.length, limit, 'Instagram');
    if (message !== undefined) issues.push({ code: 'custom', path: ['text'], message, input: text });
    const tags = text.match(HASHTAG)?.length ?? 0;
    if (tags > hashtags) {
      const many = `expected at most ${hashtags} hashtags, got ${tags}`;
      issues.push({ code: 'custom', path: ['text'], message: many, input: text });
    }
    if (media === undefined) {
      const none = 'expected at least one image or video, because Instagram has no posts without';
      issues.push({ code: 'custom', path: ['media'], message: none, input: media });
    }
  });
