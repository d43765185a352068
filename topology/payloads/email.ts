import { z } from 'zod';
import { boundedList, boundedTexts } from './bounded';
import { isOneLine, parseMailbox, READABLE } from './mailbox';
import { attachments } from './media';
import { fields } from './payload-field';

/** Of all fields together: servers take about a hundred of one message. */
const MAX_RECIPIENTS = 50;
const MAX_SUBJECT = 500;
/** Of the bodies together, bytes of UTF-8: a mail is made in one go, and others' wait meanwhile. */
const MAX_BODIES = 256 * 1024;
/** Of the bodies together, for the same reason. */
const MAX_LINES = 20_000;
const MAX_ATTACHMENTS = 10;
const MAX_HEADERS = 20;
/** Of one header with its name: a line of a mail has 998 bytes at most. */
const MAX_HEADER = 900;
const MAX_HEADERS_BYTES = 1_000 * MAX_HEADERS;

/** Headers that say something to receivers and decide nothing of where the mail goes or who it is from. */
const ALLOWED = new Set([
  'auto-submitted',
  'feedback-id',
  'importance',
  'in-reply-to',
  'list-help',
  'list-id',
  'list-unsubscribe',
  'list-unsubscribe-post',
  'precedence',
  'references',
]);
const OWN_HEADER = /^x-[a-z0-9-]{1,60}$/i;
/** With single spaces only: longer ones would be folded into lines of nothing but blanks, which end the headers for some readers. */
const PRINTABLE = /^[\x21-\x7e]+(?: [\x21-\x7e]+)*$/;

const mailbox = z.string().check(({ value, issues }) => {
  const parsed = parseMailbox(value);
  if (typeof parsed === 'string') issues.push({ code: 'custom', message: parsed, input: value });
});
const mailboxes = z.union([mailbox, boundedList(mailbox, MAX_RECIPIENTS).min(1)], {
  error: ({ input }) => wrongIn(input) ?? `expected an address, or 1 to ${MAX_RECIPIENTS} of them`,
});

const body = z
  .string()
  .max(MAX_BODIES, { abort: true })
  .refine((text) => !/[\0\p{Cs}]/u.test(text), 'expected text without NUL and without halves of characters');

const header = boundedTexts(
  z
    .string()
    .refine(
      (name) => ALLOWED.has(name.toLowerCase()) || OWN_HEADER.test(name),
      `expected X-… or one of ${[...ALLOWED].join(', ')}`,
    ),
  z
    .string()
    .max(MAX_HEADER)
    .regex(PRINTABLE, 'expected printable ASCII on one line, with single spaces')
    .refine(isOneLine, `expected a text ${READABLE}`),
  { called: 'headers', most: MAX_HEADERS, maxBytes: MAX_HEADERS_BYTES },
).refine(
  (given) => new Set(Object.keys(given).map((name) => name.toLowerCase())).size === Object.keys(given).length,
  'expected each header once',
);

const to = (option: string, description: string) =>
  ({ option, placeholder: 'address', takes: 'json', description }) as const;

/** A mail. Who it is from is the account's. */
export const email = z
  .strictObject({
    to: mailboxes.register(fields, to('to', 'an address such as "Ann <ann@example.com>", or a JSON array of them')),
    cc: mailboxes.optional().register(fields, to('cc', 'further receivers, whom all see')),
    bcc: mailboxes.optional().register(fields, to('bcc', 'further receivers, whom nobody sees')),
    replyTo: mailbox.optional().register(fields, {
      option: 'answers-to',
      placeholder: 'address',
      takes: 'text',
      description: 'where answers go; to the sender unless given',
    }),
    subject: z
      .string()
      .min(1)
      .max(MAX_SUBJECT, { abort: true })
      .refine(isOneLine, `expected one line ${READABLE}`)
      .register(fields, { option: 'subject', placeholder: 'text', takes: 'text', description: 'the subject' }),
    text: body.optional().register(fields, {
      option: 'text',
      placeholder: 'text',
      takes: 'text',
      description: 'the mail as plain text',
    }),
    html: body.optional().register(fields, {
      option: 'html',
      placeholder: 'html',
      takes: 'text',
      description: 'the mail as HTML; give the text too',
    }),
    media: attachments(MAX_ATTACHMENTS),
    headers: header.optional().register(fields, {
      option: 'header',
      placeholder: 'name:value',
      takes: 'entry',
      description: 'a further header, such as List-Unsubscribe',
    }),
  })
  .check(({ value, issues }) => {
    const { text, html } = value;
    if (text === undefined && html === undefined) {
      issues.push({ code: 'custom', path: ['text'], message: 'expected a text, an HTML body, or both', input: text });
    }
    const bytes = Buffer.byteLength(text ?? '') + Buffer.byteLength(html ?? '');
    if (bytes > MAX_BODIES) {
      const message = `expected at most ${MAX_BODIES} bytes of text and HTML together, got ${bytes}`;
      issues.push({ code: 'custom', path: [text === undefined ? 'html' : 'text'], message, input: text });
    }
    if (linesOf(text) + linesOf(html) > MAX_LINES) {
      const message = `expected at most ${MAX_LINES} lines of text and HTML together`;
      issues.push({ code: 'custom', path: [text === undefined ? 'html' : 'text'], message, input: text });
    }
    if (receiversOf(value).length > MAX_RECIPIENTS) {
      const message = `expected at most ${MAX_RECIPIENTS} receivers, cc and bcc included`;
      issues.push({ code: 'custom', path: ['to'], message, input: value.to });
    }
  });

/** Everybody whom a mail goes to, as written. */
export function receiversOf({
  to: first,
  cc = [],
  bcc = [],
}: Pick<z.infer<typeof email>, 'to' | 'cc' | 'bcc'>): string[] {
  return [first, cc, bcc].flat();
}

/** No more are counted than decide. */
function linesOf(text = ''): number {
  return text.split(/\r\n?|\n/, MAX_LINES + 1).length;
}

/** What is wrong with the first address that is none, unless there are too many. */
function wrongIn(input: unknown): string | undefined {
  const texts = Array.isArray(input) ? input : [input];
  if (texts.length > MAX_RECIPIENTS) return undefined;
  return texts.map((text) => (typeof text === 'string' ? parseMailbox(text) : undefined)).find(isText);
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}
