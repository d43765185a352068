import { linksIn, tweetLength } from '../../../topology/payloads/tweet-text';

/** A link in a text, as X lists it. */
export interface XLink {
  /** How it stands in the text: X puts one of its own, at t.co, in the place of each. */
  readonly url?: string | null | undefined;
  /** What was written. */
  readonly expanded_url?: string | null | undefined;
  /** Of an image that stands in the text as a link. */
  readonly media_key?: string | null | undefined;
}

/** Compares the text of a post with that of a message. */
type Comparison = (shown: string, links: readonly XLink[]) => 'same' | 'other' | 'unclear';

/** Beyond it X may show the beginning of a text only. */
const SHORT = 280;
const SHORTENED = /https?:\/\/t\.co\/[A-Za-z0-9]+/g;
const OF_MEDIA = /^https:\/\/(?:x|twitter)\.com\/[^/]+\/status\/\d+\/(?:photo|video)\/\d+$/;
/** The beginning of a text of which X does not show all; a link to the post may follow. */
const CUT = /^(.+)…(?:\s+(?:x|twitter)\.com\/(?:i\/web|\w+)\/status\/\d+)?$/s;
const MENTIONS = /^(?:@\w{1,15}\s+)+/;
/** What is not seen, and providers leave out; but not blanks. */
const INVISIBLE = /(?!\s)[\p{Cc}\p{Cf}]/gu;
const REFERENCES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&' };

/** In the place of a link of which X does not say what was written. No text has it. */
const UNKNOWN = '\uffff';

/**
 * Whether posts have the text of a message. X shortens links, escapes three characters, puts mentions before replies, and may keep a
 * link in another form than that in which it was written. The links of the message are looked for here and once: that may take 20 ms.
 * @returns a function that says `unclear` where X does not say what was written in the place of one of its links, shows only the
 *   beginning, may have taken something for a link that its library does not take for one, or shows a reply to others
 */
export function comparisonWith(wanted: string, isReply: boolean): Comparison {
  const { text, links: written } = withPlainLinks(wanted);
  const ours = partsOf(plain(text), isReply);
  const looseOurs = loose(ours.body);
  const isLong = tweetLength(wanted) > SHORT;
  return (shown, links) => {
    // Only the text is escaped; what X says of a link is what was written.
    const whole = plain(withLinksPutBack(unescaped(shown), links, written));
    const theirs = partsOf(whole, isReply);
    const { body } = theirs;
    if (body === ours.body) return ours.mentions.every((name) => theirs.mentions.includes(name)) ? 'same' : 'unclear';
    const known = body.split(UNKNOWN, 1)[0] as string;
    if (known !== body) return ours.body.startsWith(known.replace(/…\s*$/, '')) ? 'unclear' : 'other';
    const beginning = CUT.exec(body)?.[1]?.trim();
    if (isLong && beginning !== undefined && ours.body.startsWith(beginning)) return 'unclear';
    return loose(body) === looseOurs ? 'unclear' : 'other';
  };
}

interface Parts {
  /** Before a reply, in small letters. */
  readonly mentions: readonly string[];
  readonly body: string;
}

/** X puts mentions before replies alone: elsewhere they say whom a text is for. */
function partsOf(text: string, isReply: boolean): Parts {
  const before = isReply ? (MENTIONS.exec(text)?.[0] ?? '') : '';
  const mentions = before.toLowerCase().split(' ').filter(Boolean);
  return { mentions, body: text.slice(before.length) };
}

/** @param ours links of the message: one at t.co that stands in it stays as it is */
function withLinksPutBack(shown: string, links: readonly XLink[], ours: ReadonlySet<string>): string {
  const written = new Map<string, string>();
  for (const { url, expanded_url: expanded, media_key: media } of links) {
    if (typeof url !== 'string' || typeof expanded !== 'string') continue;
    const isImage = typeof media === 'string' || OF_MEDIA.test(expanded);
    written.set(url, isImage ? '' : plainLink(expanded));
  }
  return shown.replace(SHORTENED, (url) => {
    const own = plainLink(url);
    return ours.has(own) ? own : (written.get(url) ?? UNKNOWN);
  });
}

function withPlainLinks(text: string): { readonly text: string; readonly links: ReadonlySet<string> } {
  let plainText = '';
  let at = 0;
  const links = new Set<string>();
  for (const { url, start, end } of linksIn(text)) {
    const link = plainLink(url);
    links.add(link);
    plainText += text.slice(at, start) + link;
    at = end;
  }
  return { text: plainText + text.slice(at), links };
}

/** What of an address stays the same however it is kept. */
function plainLink(url: string): string {
  const whole = /^https?:\/\//i.test(url) ? url : `http://${url}`;
  if (!URL.canParse(whole)) return url;
  const { host, pathname, search, hash } = new URL(whole);
  return `${host}${pathname}${search}${hash}`.replace(/\/$/, '');
}

function unescaped(text: string): string {
  return text.replace(/&(lt|gt|amp);/g, (_, name: string) => REFERENCES[name] as string);
}

function plain(text: string): string {
  return text.replace(INVISIBLE, '').normalize('NFC').replace(/\s+/gu, ' ').trim();
}

/** As if all that could be a link were none. */
function loose(text: string): string {
  return text
    .toLowerCase()
    .replace(/https?:\/\//g, '')
    .replace(/\/(?= |$)/g, '');
}
