/** What LinkedIn reads as more than text unless a backslash stands before it. */
const RESERVED = /[\\|{}@[\]()<>#*_~]/g;
const WITH_BACKSLASH = /\\([\\|{}@[\]()<>#*_~])/g;
/**
 * Kept on purpose: a hashtag that stands alone, and a mention of a person or an organization by its URN. A square bracket of a name has a
 * backslash in the text already, so no search for the end of a name goes beyond where the next one may begin.
 */
const MEANT =
  /(?<![^\s(])#[\p{L}\p{N}]+|@\[((?:\\.|[^[\]\\\n]){1,200})\]\((urn:li:(?:person|organization):[A-Za-z0-9_-]{1,64})\)/gu;

/**
 * A text as LinkedIn's posts take it, in the format that LinkedIn calls "little": a reserved character without a backslash would cut
 * the post there, and LinkedIn would not say so.
 */
export function littleText(text: string): string {
  let little = '';
  let at = 0;
  for (const { 0: meant, 1: name, 2: urn, index } of text.matchAll(MEANT)) {
    const kept = name === undefined ? meant : `@[${escaped(unescaped(name))}](${urn})`;
    little += escaped(text.slice(at, index)) + kept;
    at = index + meant.length;
  }
  return little + escaped(text.slice(at));
}

/** The text that readers see of it, with hashtags and mentions as they are written. */
export function plainText(little: string): string {
  return unescaped(little.replace(/\{hashtag\|\\?[#＃]\|((?:[^\\{}|]|\\.)*)\}/g, '#$1'));
}

function escaped(text: string): string {
  return text.replace(RESERVED, '\\$&');
}

function unescaped(text: string): string {
  return text.replace(WITH_BACKSLASH, '$1');
}
