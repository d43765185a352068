/** Whom a mail comes from or goes to. */
export interface Mailbox {
  /** What a reader is shown beside the address; empty when there is nothing. */
  readonly name: string;
  /** ASCII, its domain as the DNS has it. */
  readonly address: string;
}

const MAX_ADDRESS = 254;
const MAX_LOCAL = 64;
const MAX_NAME = 200;
/** `Name <address>`, the name in quotes or not. */
const NAMED = /^(?:"([^"\\<>]*)"|([^"\\<>]*))\s*<([^<>\s]+)>$/;
/** A local part without quotes (RFC 5322, dot-atom). */
const LOCAL = /^[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/i;
/** What a domain may be written with: what a URL would take to pieces, or decode, is left out. */
const DOMAIN = /^[\p{L}\p{M}\p{N}.-]+$/u;
/** A domain as the DNS has it, with a top level that is no number. */
const ASCII_DOMAIN = /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
/** What breaks or reverses a line: controls, line separators, overrides of the direction, halves of characters. */
const UNFIT = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u;

/** What readers decode in a header (RFC 2047), whatever comes of it. */
const ENCODED = /=\?[^?]*\?[bq]\?/i;
/** So many that a folded line could be nothing but blanks, which end the headers for some readers. */
const BLANKS = / {16}/;

/** What a text of a header has to be. */
export const READABLE = 'without control characters, long runs of spaces and encoded words (=?…?=)';

/** Whether a text stays on its line of a header, and reads as it is written. */
export function isOneLine(text: string): boolean {
  return !UNFIT.test(text) && !ENCODED.test(text) && !BLANKS.test(text);
}

/**
 * An address such as `ann@example.com` or `Ann <ann@example.com>`. Quoted local parts, comments, groups and lists are none, and
 * neither are addresses whose part before the @ is not ASCII, because not every server takes them.
 * @returns what is wrong with it, when something is
 */
export function parseMailbox(text: string): Mailbox | string {
  if (text.length > MAX_ADDRESS + MAX_NAME + 4) return 'expected an address, got a text that is longer than any';
  if (!isOneLine(text)) return `expected an address on one line, ${READABLE}`;
  const trimmed = text.trim();
  const named = NAMED.exec(trimmed);
  const name = (named?.[1] ?? named?.[2] ?? '').trim();
  if (name.length > MAX_NAME) return `expected a name of at most ${MAX_NAME} characters`;
  const address = addressOf(named?.[3] ?? trimmed);
  return address === undefined ? EXPECTED : { name, address };
}

const EXPECTED = 'expected an address such as ann@example.com or Ann <ann@example.com>';

function addressOf(text: string): string | undefined {
  const at = text.lastIndexOf('@');
  const local = text.slice(0, at);
  const domain = text.slice(at + 1);
  if (at < 1 || local.length > MAX_LOCAL || !LOCAL.test(local) || !DOMAIN.test(domain)) return undefined;
  const url = `http://${domain}`;
  const ascii = URL.canParse(url) ? new URL(url).hostname : '';
  const address = `${local}@${ascii}`;
  return ASCII_DOMAIN.test(ascii) && address.length <= MAX_ADDRESS ? address : undefined;
}
