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

/** Beyond it X may show the beginning of a text only. */
const SHORT = 280;
const SHORTENED = /https?:\/\/t\.co\/[A-Za-z0-9]+/g;
const OF_MEDIA = /^https:\/\/(?:x|twitter)\.com\/[^/]+\/status\/\d+\/(?:photo|video)\/\d+$/;
const MENTIONS = /^(?:@\w{1,15}\s+)+/;
const REFERENCES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&' };

/**
 * Whether a post has the text of a message. X shortens links, escapes three characters, puts mentions before replies, and may keep a
 * link in another form than that in which it was written.
 * @param links that X lists of the post
 * @returns `unclear` where X does not say what was written in the place of one of its links, or shows only the beginning
 */
export function textsAlike(wanted: string, shown: string, links: readonly XLink[]): 'same' | 'other' | 'unclear' {
  const ours = plain(withPlainLinks(wanted));
  const theirs = plain(unescaped(withLinksPutBack(shown, links)));
  if (ours === theirs || ours.replace(MENTIONS, '') === theirs.replace(MENTIONS, '')) return 'same';
  const known = theirs.split(UNKNOWN, 1)[0] as string;
  if (known !== theirs) return ours.startsWith(known) ? 'unclear' : 'other';
  const beginning = /^(.+)…$/s.exec(theirs)?.[1]?.trim();
  const isCut = beginning !== undefined && tweetLength(wanted) > SHORT && ours.startsWith(beginning);
  return isCut ? 'unclear' : 'other';
}

/** In the place of a link of which X does not say what was written. No text has it. */
const UNKNOWN = '\uffff';

function withLinksPutBack(shown: string, links: readonly XLink[]): string {
  const written = new Map<string, string>();
  for (const { url, expanded_url: expanded, media_key: media } of links) {
    if (typeof url !== 'string' || typeof expanded !== 'string') continue;
    const isImage = typeof media === 'string' || OF_MEDIA.test(expanded);
    written.set(url, isImage ? '' : plainLink(expanded));
  }
  return shown.replace(SHORTENED, (url) => written.get(url) ?? UNKNOWN);
}

function withPlainLinks(text: string): string {
  let plainText = '';
  let at = 0;
  for (const { url, start, end } of linksIn(text)) {
    plainText += text.slice(at, start) + plainLink(url);
    at = end;
  }
  return plainText + text.slice(at);
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
  return text.normalize('NFC').replace(/\s+/gu, ' ').trim();
}
