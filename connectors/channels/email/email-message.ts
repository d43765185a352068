import { createHash } from 'node:crypto';
import MimeNode from 'nodemailer/lib/mime-node';
import { BadRecord } from '../../../topology/core/errors';
import { receiversOf } from '../../../topology/payloads/email';
import { type Mailbox, parseMailbox } from '../../../topology/payloads/mailbox';
import type { Payload } from '../../../topology/payloads/payloads';

/** A body of which one byte in so many has to be escaped is not readable as quoted-printable. */
const READABLE_PART = 6;

/** A mail before it is known which attempt of which row it is. */
export interface EmailDraft {
  readonly payload: Payload<'email'>;
  /** Addresses, each once. */
  readonly receivers: readonly string[];
}

export function draftOf(payload: Payload<'email'>): EmailDraft {
  return { payload, receivers: [...new Set(receiversOf(payload).map((text) => mailboxOf(text).address))] };
}

export function mailboxOf(text: string): Mailbox {
  const parsed = parseMailbox(text);
  if (typeof parsed === 'string') throw new BadRecord(parsed);
  return parsed;
}

/**
 * The mail as it is written to a server: a function of the row and of the account's sender alone, so that each attempt has the
 * same. Its boundary begins with `=_`, which is in no body: quoted-printable has `=` before two hexadecimal digits only, base64
 * no `_`.
 * @param key the row's: it becomes the Message-ID
 * @param dueAt epoch milliseconds: it becomes the date
 */
export function composed({ payload }: EmailDraft, from: Mailbox, key: string, dueAt: number): Promise<Buffer> {
  const { to, cc = [], replyTo, subject, text, html, headers = {} } = payload;
  const domain = from.address.slice(from.address.lastIndexOf('@') + 1);
  const base = createHash('sha256').update(key).digest('hex').slice(0, 32);
  const bodies = [
    ['text/plain; charset=utf-8', text],
    ['text/html; charset=utf-8', html],
  ] as const;
  const given = bodies.flatMap(([type, body]) => (body === undefined ? [] : [[type, body] as const]));
  const both = new MimeNode(given.length > 1 ? 'multipart/alternative' : given[0]?.[0], {
    boundaryPrefix: '=_downspout',
    baseBoundary: base,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  for (const [type, body] of given) {
    const part = given.length > 1 ? both.createChild(type) : both;
    part.setHeader('Content-Transfer-Encoding', encodingOf(body)).setContent(body.replace(/\r\n?|\n/g, '\r\n'));
  }
  both.setHeader('From', [{ ...from }]);
  both.setHeader('To', mailboxesOf(to));
  if (cc.length > 0) both.setHeader('Cc', mailboxesOf(cc));
  if (replyTo !== undefined) both.setHeader('Reply-To', mailboxesOf(replyTo));
  both.setHeader('Subject', subject.trim());
  both.setHeader('Message-ID', `<${key}@${domain}>`);
  both.setHeader('Date', new Date(dueAt));
  both.setHeader(Object.entries(headers).map(([name, value]) => ({ key: name, value })));
  return both.build();
}

/** Quoted-printable for what people can read in it; of the rest it would be thrice as long, and slow to make. */
function encodingOf(body: string): 'quoted-printable' | 'base64' {
  const escaped = Buffer.byteLength(body.replace(/[\x20-\x3c\x3e-\x7e]+/g, ''));
  return escaped * READABLE_PART > Buffer.byteLength(body) ? 'base64' : 'quoted-printable';
}

function mailboxesOf(texts: string | readonly string[]): Mailbox[] {
  return [texts].flat().map(mailboxOf);
}
