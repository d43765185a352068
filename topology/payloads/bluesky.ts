import { z } from 'zod';
import { language } from './language';
import { media } from './media';
import { fields } from './payload-field';
import { graphemes, whatIsTooLong } from './text-length';

const MAX_GRAPHEMES = 300;
const MAX_BYTES = 3_000;
/** Nothing longer is counted. UTF-16 units. */
const MAX_UNITS = 40_000;
const MAX_TITLE = 300;
const MAX_DESCRIPTION = 1_000;
const MAX_ALT = 1_000;
const MAX_IMAGES = 4;

/** A post on Bluesky. */
export const bluesky = z
  .strictObject({
    text: z
      .string()
      .max(MAX_UNITS, { abort: true })
      .refine((text) => text.trim() !== '', 'expected a text, got blanks')
      .refine((text) => !/\p{Cs}/u.test(text), 'expected text without halves of characters')
      .register(fields, {
        option: 'text',
        placeholder: 'text',
        takes: 'text',
        description: 'the post; https://…, @name.bsky.social and #tags in it become links',
      }),
    replyTo: z
      .string()
      .max(512, { abort: true })
      .regex(
        /^at:\/\/(?:did:[a-z]+:[A-Za-z0-9._:%-]+|[A-Za-z0-9.-]+)\/app\.bsky\.feed\.post\/[A-Za-z0-9._:~-]+$/,
        'expected the address of a post, such as at://did:plc:abc/app.bsky.feed.post/3k43tv4rft22g',
      )
      .optional()
      .register(fields, {
        option: 'reply-to',
        placeholder: 'id',
        takes: 'text',
        description: 'the at:// address of the post that it answers',
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
      description: 'of the link; Bluesky does not read it from the page',
    }),
    description: z.string().max(MAX_DESCRIPTION).optional().register(fields, {
      option: 'description',
      placeholder: 'text',
      takes: 'text',
      description: 'of the link',
    }),
    language,
    media: media({ most: MAX_IMAGES, maxAlt: MAX_ALT, video: 'alone' }),
  })
  .check(({ value: { text, link, title, description, media: shown }, issues }) => {
    const bytes = Buffer.byteLength(text);
    const message =
      whatIsTooLong(graphemes(text), MAX_GRAPHEMES, 'Bluesky') ??
      (bytes > MAX_BYTES ? `expected at most ${MAX_BYTES} bytes of UTF-8, got ${bytes}` : undefined);
    if (message !== undefined) issues.push({ code: 'custom', path: ['text'], message, input: text });
    if (link !== undefined && shown !== undefined) {
      const either = 'expected either media or a link below the post; a link may stand in the text';
      issues.push({ code: 'custom', path: ['media'], message: either, input: shown });
    }
    if (link !== undefined && title === undefined) {
      issues.push({ code: 'custom', path: ['title'], message: 'expected the title of the link', input: title });
    }
    if (link === undefined && (title !== undefined || description !== undefined)) {
      issues.push({ code: 'custom', path: ['link'], message: 'expected the link that has the title', input: link });
    }
  });
