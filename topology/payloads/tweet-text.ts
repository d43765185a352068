import type * as Library from 'twitter-text';

/** What X's library looks for links in, within some 20 ms: the squares of the lengths of words are counted. */
const MAX_WORK = 5_000_000;
/** Characters that are not of ASCII take so many times longer. */
const SLOWNESS = 6;
/** Marks of byte order, and what is no character. */
const REFUSED = /[\ufeff\ufffe\uffff]|\p{Cs}/u;
/** It ends words where there are no spaces, and each counts as two. */
const PUNCTUATION = /[、。，！？；：…「」『』（）《》【】]/g;

/** Part of a text that X makes a link of. UTF-16 units. */
interface TweetLink {
  readonly url: string;
  readonly start: number;
  readonly end: number;
}

/** How long a text is as X counts it: a URL has 23 characters, an emoji and most characters of East Asia have two. */
export function tweetLength(text: string): number {
  const punctuation = text.match(PUNCTUATION)?.length ?? 0;
  return library().parseTweet(inWords(text)).weightedLength + punctuation;
}

/** Where X makes links of a text, also of addresses without `https://`. */
export function linksIn(text: string): TweetLink[] {
  return library()
    .extractUrlsWithIndices(inWords(text))
    .map(({ url, indices: [start, end] }) => ({ url, start, end }));
}

/** Whether X takes each character of a text. */
export function isTweetable(text: string): boolean {
  return !REFUSED.test(text);
}

/** Whether a text has words that are so long that X's library would look for links in it for a long time. */
export function isTooDense(text: string): boolean {
  if (!text.includes('.')) return false;
  let work = 0;
  for (const [word] of inWords(text).matchAll(/\S+/g)) {
    work += word.length ** 2 * (/^[\x21-\x7e]+$/.test(word) ? 1 : SLOWNESS);
  }
  return work > MAX_WORK;
}

/** Loads X's own library now instead of with the first text that is counted: it takes a tenth of a second. */
export function loadTweetText(): void {
  library();
}

function library(): typeof Library {
  return require('twitter-text') as typeof Library;
}

/** As long as the text: the library takes as much time as the square of what stands between spaces. */
function inWords(text: string): string {
  return text.replace(PUNCTUATION, ' ');
}
