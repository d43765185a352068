import { z } from 'zod';
import { boundedList } from './bounded';
import { media } from './media';
import { fields } from './payload-field';
import { codePoints, whatIsTooLong } from './text-length';

const LIMIT = 2_000;
/** Nothing longer is counted. UTF-16 units. */
const MAX_UNITS = 40_000;
const MAX_IMAGES = 10;
const MAX_ALT = 1_024;
const SNOWFLAKE = /^[1-9]\d{14,19}$/;

/** A message of a bot in a channel or a thread of Discord's. */
export const discord = z
  .strictObject({
    channelId: z
      .string()
      .regex(SNOWFLAKE, 'expected the id of a channel or a thread, such as 155101607195836416')
      .register(fields, {
        option: 'channel-id',
        placeholder: 'id',
        takes: 'text',
        description: 'the id of the channel or the thread',
      }),
    text: z
      .string()
      .max(MAX_UNITS, { abort: true })
      .refine((text) => text.trim() !== '', 'expected a text, got blanks')
      .register(fields, { option: 'text', placeholder: 'text', takes: 'text', description: 'the message' }),
    replyTo: z
      .string()
      .regex(SNOWFLAKE, 'expected the id of a message in the same channel')
      .optional()
      .register(fields, {
        option: 'reply-to',
        placeholder: 'id',
        takes: 'text',
        description: 'the id of the message in the same channel that it answers',
      }),
    mentions: boundedList(z.enum(['users', 'roles', 'everyone']), 3)
      .refine((mentions) => new Set(mentions).size === mentions.length, 'expected each of them once')
      .optional()
      .register(fields, {
        option: 'mentions',
        placeholder: 'json',
        takes: 'json',
        description: 'whom its mentions notify: ["users","roles","everyone"] or some of them; nobody unless given',
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
  .check(({ value: { text }, issues }) => {
    const message = whatIsTooLong(codePoints(text), LIMIT, 'Discord');
    if (message !== undefined) issues.push({ code: 'custom', path: ['text'], message, input: text });
  });
