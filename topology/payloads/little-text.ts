/** What LinkedIn reads as more than text unless a backslash stands before it. */
const RESERVED = /[\\|{}@[\]()<>#*_~]/g;
/** Kept on purpose: a hashtag that stands alone, and a mention of a person or an organization by its URN. */
const MEANT =
  /(?<![^\s(])#[\p{L}\p{N}]+|@\[[^[\]()\\\n]{1,200}\]\(urn:li:(?:person|organization):[A-Za-z0-9_-]{1,64}\)/gu;

/**
 * A text as LinkedIn's posts take it, in the format that LinkedIn calls "little": a reserved character without a backslash would cut
 * the post there, and LinkedIn would not say so.
 */
export function littleText(text: string): string {
  let little = '';
  let at = 0;
  for (const { 0: meant, index } of text.matchAll(MEANT)) {
    little += escaped(text.slice(at, index)) + meant;
    at = index + meant.length;
  }
  return little + escaped(text.slice(at));
}

/** The text that readers see of it, with hashtags and mentions as they are written. */
export function plainText(little: string): string {
  return little.replace(/\{hashtag\|\\?[#＃]\|((?:[^\\{}|]|\\.)*)\}/g, '#$1').replace(/\\([\\|{}@[\]()<>#*_~])/g, '$1');
}

function escaped(text: string): string {
  return text.replace(RESERVED, '\\$&');
}
