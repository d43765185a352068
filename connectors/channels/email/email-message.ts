import { createHash } from 'node:crypto';
import MimeNode from 'nodemailer/lib/mime-node';
import { BadRecord } from '../../../topology/core/errors';
import { receiversOf } from '../../../topology/payloads/email';
import { type Mailbox, parseMailbox } from '../../../topology/payloads/mailbox';
import type { Payload } from '../../../topology/payloads/payloads';

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
 * same. Its boundary cannot be in a body, because a body is quoted-printable, which has `=` before two hexadecimal digits only.
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
    part.setHeader('Content-Transfer-Encoding', 'quoted-printable').setContent(body);
  }
  both.setHeader(Object.entries(headers).map(([name, value]) => ({ key: name, value })));
  both.setHeader('From', [{ ...from }]);
  both.setHeader('To', mailboxesOf(to));
  if (cc.length > 0) both.setHeader('Cc', mailboxesOf(cc));
  if (replyTo !== undefined) both.setHeader('Reply-To', mailboxesOf(replyTo));
  both.setHeader('Subject', subject);
  both.setHeader('Message-ID', `<${key}@${domain}>`);
  both.setHeader('Date', new Date(dueAt));
  return both.build();
}

function mailboxesOf(texts: string | readonly string[]): Mailbox[] {
  return [texts].flat().map(mailboxOf);
}
