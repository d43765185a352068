import type { Outcome } from '../../../topology/message';
import { Redaction } from '../http/redaction';

const MAX_SHOWN_CHARACTERS = 200;
const MAX_READ_CHARACTERS = 4_000;
/** A server that does not know the sender yet takes the mail when some minutes have passed. */
const GREY_LISTED_MS = 300_000;

/** Replies that are about the login, wherever they come (RFC 4954). */
const WANTS_LOGIN = new Set([530, 534, 535, 538]);
/** Those of them that come before a login, or instead of one; 530 is also what a server says that wants encryption first (RFC 3207). */
const WANTS_MORE = new Set([530, 538]);

/** How far a dialogue came. */
export type Stage = 'connection' | 'login' | 'sender' | 'receivers' | 'data' | 'sent';

const refusals: Readonly<Record<Exclude<Stage, 'connection' | 'login'>, string>> = {
  sender: 'The mail server does not take mail from this sender',
  receivers: 'The mail server does not take mail for a receiver, so nobody was sent it',
  data: 'The mail server does not take the mail',
  sent: 'The mail server refused the mail',
};

/**
 * What a server's reply means that is no "yes".
 * @param code three digits; undefined when what it said is no reply
 * @param said one line, without secrets
 */
export function refusalOf(stage: Stage, code: number | undefined, said: string): Outcome {
  if (code === undefined || code < 400 || code > 599) {
    // What does not speak SMTP is perhaps no mail server, and what it says is not the account's to read.
    const reason = `The mail server answered with what is no answer${code === undefined ? '' : ` (${said})`}`;
    return stage === 'sent'
      ? { kind: 'unknown', reason: `${reason}; it may have the mail` }
      : { kind: 'retry', reason };
  }
  const status = code;
  if (stage === 'login' || (isOfMail(stage) && WANTS_LOGIN.has(code))) return loginRefusal(code);
  if (stage === 'connection') {
    return { kind: 'retry', status, reason: `The mail server takes no mail from here for now (${said})` };
  }
  if (code >= 500) return { kind: 'rejected', status, reason: `${refusals[stage]} (${said})` };
  const reason = `${refusals[stage]} for now (${said})`;
  return /gr[ae]y.?list/i.test(said)
    ? { kind: 'retry', status, reason, afterMs: GREY_LISTED_MS }
    : { kind: 'retry', status, reason };
}

function isOfMail(stage: Stage): boolean {
  return stage === 'sender' || stage === 'receivers' || stage === 'data';
}

/** What the server says of a login is not quoted: it may repeat it. */
function loginRefusal(status: number): Outcome {
  if (status < 500) return { kind: 'retry', status, reason: `The mail server cannot check the login now (${status})` };
  const what = WANTS_MORE.has(status)
    ? "wants a login, or encryption, beyond the account's `user`, `password` and `security`"
    : "does not take the account's user and password";
  return { kind: 'unusable', status, reason: `The mail server ${what} (${status}). Connect the account again` };
}

/** The code of a reply, when it begins as one. */
export function codeOf(reply: string): number | undefined {
  const code = /^[2-5]\d\d(?=[ -]|$)/.exec(reply)?.[0];
  return code === undefined ? undefined : Number(code);
}

/**
 * A reply on one line, without what was said at the login.
 * @param secrets of the account; left out also as the login encodes them
 */
export function shownOf(reply: string, user: string | undefined, secrets: readonly string[]): string {
  const words = secrets.flatMap((secret) => [
    secret,
    ...[secret, `\0${user ?? ''}\0${secret}`].map((text) => Buffer.from(text).toString('base64')),
  ]);
  let text = reply.slice(0, MAX_READ_CHARACTERS);
  for (const word of words.toSorted((a, b) => b.length - a.length)) text = text.replaceAll(word, '…');
  const redaction = new Redaction([], words);
  return redaction.shown(text.replace(/[\s\p{C}]+/gu, ' ').trim(), MAX_SHOWN_CHARACTERS);
}
