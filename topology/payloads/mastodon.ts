import { z } from 'zod';
import { language } from './language';
import { linkOf } from './link-in-text';
import { media } from './media';
import { fields } from './payload-field';
import { graphemes, whatIsTooLong } from './text-length';

/** What a server takes unless its administrator has changed it. */
const USUAL_LIMIT = 500;
const MAX_LIMIT = 10_000;
/** A server counts every URL as so many characters. */
const URL_CHARACTERS = 23;
/** Nothing longer is counted. UTF-16 units. */
const MAX_UNITS = 40_000;
/** What a server takes unless its administrator has changed it. */
const MAX_IMAGES = 4;
const MAX_ALT = 1_500;

const URL_IN_TEXT = /(?<![\p{L}\p{N}_@/])https?:\/\/[^\s<>"]+/giu;
/** `@user@domain`: the user counts, the domain does not. */
const MENTION = /(?<![\p{L}\p{N}_=/])@([a-z0-9_]+(?:[.-]+[a-z0-9_]+)*)@[\p{L}\p{N}_.-]*[\p{L}\p{N}_]/giu;

/** A post on a server of Mastodon's. */
export const mastodon = z
  .strictObject({
    text: z
      .string()
      .max(MAX_UNITS, { abort: true })
      .refine((text) => text.trim() !== '', 'expected a text, got blanks')
      .register(fields, { option: 'text', placeholder: 'text', takes: 'text', description: 'the post' }),
    replyTo: z
      .string()
      .regex(/^[0-9A-Za-z]{1,64}$/, 'expected the id of a post on the same server, such as 109501234567890123')
      .optional()
      .register(fields, {
        option: 'reply-to',
        placeholder: 'id',
        takes: 'text',
        description: 'the id of the post that it answers, as its server has it',
      }),
    visibility: z.enum(['public', 'unlisted', 'private', 'direct']).optional().register(fields, {
      option: 'visibility',
      placeholder: 'who',
      takes: 'text',
      description: "public, unlisted, private or direct; the account's own choice unless given",
    }),
    spoiler: z.string().min(1).max(MAX_UNITS, { abort: true }).optional().register(fields, {
      option: 'spoiler',
      placeholder: 'text',
      takes: 'text',
      description: 'stands before the post',
    }),
    language,
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
        description: `how many characters the account's server takes; ${USUAL_LIMIT} unless given`,
      }),
  })
  .check(({ value: { text, spoiler = '', limit = USUAL_LIMIT }, issues }) => {
    const count = graphemes(spoiler) + graphemes(counted(text));
    const message = whatIsTooLong(count, limit, spoiler === '' ? 'Mastodon' : 'Mastodon, with the spoiler');
    if (message !== undefined) issues.push({ code: 'custom', path: ['text'], message, input: text });
  });

/** The text as its length is counted. */
function counted(text: string): string {
  const shortened = text.replace(URL_IN_TEXT, (address) => {
    const link = linkOf(address);
    return link === '' ? address : 'x'.repeat(URL_CHARACTERS) + address.slice(link.length);
  });
  return shortened.replace(MENTION, '@$1');
}
