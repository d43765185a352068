import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import MimeNode from 'nodemailer/lib/mime-node';
import { BadRecord } from '../../../topology/core/errors';
import { receiversOf } from '../../../topology/payloads/email';
import { type Mailbox, parseMailbox } from '../../../topology/payloads/mailbox';
import type { Payload } from '../../../topology/payloads/payloads';
import type { MediaFile } from '../media/media-file';

/** A body of which one byte in so many has to be escaped is not readable as quoted-printable. */
const READABLE_PART = 6;

/** Of a line of base64, before it is encoded. */
const LINE_BYTES = 57;
const ENCODED_LINE_BYTES = 78;
/** All headers are shorter together. */
const MAX_HEAD_BYTES = 64 * 1024;
/** So many bytes at most become of one of a body, line ends included. */
const ENCODED_BODY = 1.5;

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

/** How many bytes a mail with these attachments may have as it is written to a server: a little more than it has. */
export function sizeWith(files: readonly MediaFile[], { payload: { text = '', html = '' } }: EmailDraft): number {
  const lines = files.reduce((sum, { bytes }) => sum + Math.ceil(bytes / LINE_BYTES), 0);
  const bodies = Buffer.byteLength(text) + Buffer.byteLength(html);
  return lines * ENCODED_LINE_BYTES + Math.ceil(bodies * ENCODED_BODY) + MAX_HEAD_BYTES;
}

/**
 * The mail as it is written to a server: a function of the row and of the account's sender alone, so that each attempt has the
 * same. Its boundary begins with `=_`, which is in no body: quoted-printable has `=` before two hexadecimal digits only, base64
 * no `_`.
 * @param key the row's: it becomes the Message-ID
 * @param dueAt epoch milliseconds: it becomes the date
 */
export function composed(draft: EmailDraft, from: Mailbox, key: string, dueAt: number): Promise<Buffer> {
  return nodeOf(draft, from, key, dueAt, []).build();
}

/** The same with attachments, which are read while it is. */
export function composedWith(
  files: readonly MediaFile[],
  draft: EmailDraft,
  from: Mailbox,
  key: string,
  dueAt: number,
): AsyncIterable<Buffer> {
  return nodeOf(draft, from, key, dueAt, files).createReadStream();
}

function nodeOf(
  { payload }: EmailDraft,
  from: Mailbox,
  key: string,
  dueAt: number,
  files: readonly MediaFile[],
): MimeNode {
  const { to, cc = [], replyTo, subject, text, html, headers = {}, media = [] } = payload;
  const domain = from.address.slice(from.address.lastIndexOf('@') + 1);
  const base = createHash('sha256').update(key).digest('hex').slice(0, 32);
  const bodies = [
    ['text/plain; charset=utf-8', text],
    ['text/html; charset=utf-8', html],
  ] as const;
  const given = bodies.flatMap(([type, body]) => (body === undefined ? [] : [[type, body] as const]));
  const type = given.length > 1 ? 'multipart/alternative' : given[0]?.[0];
  const whole = new MimeNode(files.length > 0 ? 'multipart/mixed' : type, {
    boundaryPrefix: '=_downspout',
    baseBoundary: base,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  const both = files.length > 0 ? whole.createChild(type) : whole;
  for (const [own, body] of given) {
    const part = given.length > 1 ? both.createChild(own) : both;
    part.setHeader('Content-Transfer-Encoding', encodingOf(body)).setContent(body.replace(/\r\n?|\n/g, '\r\n'));
  }
  for (const [n, file] of files.entries()) {
    whole
      .createChild(file.type, { filename: media[n]?.name ?? file.name })
      .setHeader('Content-Disposition', 'attachment')
      .setHeader('Content-Transfer-Encoding', 'base64')
      .setContent(Readable.from(file.read(), { objectMode: false }));
  }
  whole.setHeader('From', [{ ...from }]);
  whole.setHeader('To', mailboxesOf(to));
  if (cc.length > 0) whole.setHeader('Cc', mailboxesOf(cc));
  if (replyTo !== undefined) whole.setHeader('Reply-To', mailboxesOf(replyTo));
  whole.setHeader('Subject', subject.trim());
  whole.setHeader('Message-ID', `<${key}@${domain}>`);
  whole.setHeader('Date', new Date(dueAt));
  whole.setHeader(Object.entries(headers).map(([name, value]) => ({ key: name, value })));
  return whole;
}

/** Quoted-printable for what people can read in it; of the rest it would be thrice as long, and slow to make. */
function encodingOf(body: string): 'quoted-printable' | 'base64' {
  const escaped = Buffer.byteLength(body.replace(/[\x20-\x3c\x3e-\x7e]+/g, ''));
  return escaped * READABLE_PART > Buffer.byteLength(body) ? 'base64' : 'quoted-printable';
}

function mailboxesOf(texts: string | readonly string[]): Mailbox[] {
  return [texts].flat().map(mailboxOf);
}
