import { z } from 'zod';
import { media } from './media';
import { fields } from './payload-field';
import { whatIsTooLong } from './text-length';

/** Slack cuts a longer text. */
const LIMIT = 40_000;
/** Nothing longer is counted. UTF-16 units. */
const MAX_UNITS = 400_000;
const MAX_IMAGES = 10;
const MAX_ALT = 1_000;

/** A message in a conversation of Slack's. */
export const slack = z
  .strictObject({
    conversation: z
      .string()
      .regex(
        /^[CGD][A-Z0-9]{6,30}$/,
        'expected the id of a channel or conversation, such as C0123456789; its name will not do',
      )
      .register(fields, {
        option: 'conversation',
        placeholder: 'id',
        takes: 'text',
        description: 'the id of the channel or conversation that it is for: C…, G… or D…',
      }),
    text: z
      .string()
      .max(MAX_UNITS, { abort: true })
      .refine((text) => text.trim() !== '', 'expected a text, got blanks')
      .register(fields, {
        option: 'text',
        placeholder: 'text',
        takes: 'text',
        description:
          "the message, in Slack's mrkdwn: *bold*, <https://example.com|a link>; & < > of a text are &amp; &lt; &gt;",
      }),
    replyTo: z
      .string()
      .regex(/^\d{9,11}\.\d{6}$/, 'expected the ts of a message in the same conversation, such as 1503435956.000247')
      .optional()
      .register(fields, {
        option: 'reply-to',
        placeholder: 'id',
        takes: 'text',
        description: 'the ts of the message whose thread it goes to',
      }),
    unfurl: z.boolean().optional().register(fields, {
      option: 'unfurl',
      placeholder: 'true|false',
      takes: 'json',
      description: "true or false: whether links are shown with a preview; Slack's own choice unless given",
    }),
    media: media({ most: MAX_IMAGES, maxAlt: MAX_ALT, video: 'besides' }),
  })
  .check(({ value: { text }, issues }) => {
    const message = whatIsTooLong(text.length, LIMIT, 'Slack');
    if (message !== undefined) issues.push({ code: 'custom', path: ['text'], message, input: text });
  });
