import { z } from 'zod';
import { media } from './media';
import { fields } from './payload-field';
import { whatIsTooLong } from './text-length';

/** UTF-16 units of the text as readers see it. */
const LIMIT = 4_096;
/** The same of a text below media. */
const CAPTION_LIMIT = 1_024;
/** With its markup. Nothing longer is counted. UTF-16 units. */
const MAX_UNITS = 40_000;
const MAX_IMAGES = 10;
/** Telegram shows none; other channels' messages have some. */
const MAX_ALT = 1_500;

const TAG = /<[^<>]*>/g;
const CHARACTER_REFERENCE = /&(?:lt|gt|amp|quot|#\d{1,7}|#x[0-9a-f]{1,6});/gi;
/** Where a link of MarkdownV2 goes. One that nothing closes reaches to the end, so that no character is looked at twice. */
const LINK_TARGET = /\]\((?:\\.|[^)\\])*(?:\)|\\?$)/gs;
const MARKUP = /\\([!-/:-@[-`{-~])|[_*[\]~`|>]/g;

/** A message of a bot to a chat of Telegram's. */
export const telegram = z
  .strictObject({
    chat: z
      .string()
      .regex(
        /^(?:@[A-Za-z][A-Za-z0-9_]{3,31}|-?[1-9]\d{0,15})$/,
        'expected @name of a public chat, or the number of a chat as text, such as "-1001234567890"',
      )
      .refine((chat) => chat.startsWith('@') || Number.isSafeInteger(Number(chat)), 'expected a number below 2^53')
      .register(fields, { option: 'chat', placeholder: 'chat', takes: 'text', description: '@name, or its number' }),
    text: z
      .string()
      .max(MAX_UNITS, { abort: true })
      .refine((text) => text.trim() !== '', 'expected a text, got blanks')
      .register(fields, { option: 'text', placeholder: 'text', takes: 'text', description: 'the message' }),
    parseMode: z.enum(['HTML', 'MarkdownV2']).optional().register(fields, {
      option: 'parse-mode',
      placeholder: 'mode',
      takes: 'text',
      description: 'HTML or MarkdownV2, when the text has markup; it goes out as it is written unless given',
    }),
    replyTo: z
      .string()
      .regex(/^[1-9]\d{0,9}$/, 'expected the number of a message in the same chat, such as 42')
      .optional()
      .register(fields, {
        option: 'reply-to',
        placeholder: 'id',
        takes: 'text',
        description: 'the number of the message in the same chat that it answers',
      }),
    topic: z
      .string()
      .regex(/^[1-9]\d{0,9}$/, 'expected the number of a topic of the chat, such as 7')
      .optional()
      .register(fields, {
        option: 'topic',
        placeholder: 'id',
        takes: 'text',
        description: 'the number of the topic, in a group that has topics',
      }),
    linkPreview: z.boolean().optional().register(fields, {
      option: 'link-preview',
      placeholder: 'true|false',
      takes: 'json',
      description: 'false shows no preview of a link',
    }),
    silent: z.boolean().optional().register(fields, {
      option: 'silent',
      placeholder: 'true|false',
      takes: 'json',
      description: 'true makes no sound',
    }),
    media: media({ most: MAX_IMAGES, maxAlt: MAX_ALT, video: 'besides' }),
  })
  .check(({ value: { text, parseMode, media: images }, issues }) => {
    const [limit, who] = images === undefined ? [LIMIT, 'Telegram'] : [CAPTION_LIMIT, 'Telegram, below media,'];
    const message = whatIsTooLong(seen(text, parseMode).length, limit, who);
    if (message !== undefined) issues.push({ code: 'custom', path: ['text'], message, input: text });
  });

/** The text without its markup. Where markup is doubtful the result is the shorter one: Telegram has the last word. */
function seen(text: string, parseMode: 'HTML' | 'MarkdownV2' | undefined): string {
  if (parseMode === 'HTML') return text.replace(TAG, '').replace(CHARACTER_REFERENCE, 'x');
  if (parseMode === 'MarkdownV2') return text.replace(LINK_TARGET, ']').replace(MARKUP, '$1');
  return text;
}
