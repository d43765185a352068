/** Names of headers that are there for a credential. */
const CREDENTIAL_NAME = /auth|cookie|token|secret|key|pass|sign|session|credential|jwt/i;
/** Values that say of themselves that they are one, under any name. */
const CREDENTIAL_VALUE = /^(?:basic|bearer|digest|token|apikey) /i;
/** Shorter words are found everywhere, and guessed at once. */
export const MIN_WORD_CHARACTERS = 6;
/** Where a word ends that is not known to its end, or is spelled otherwise. */
const QUOTED_END = /[\s"']|$/;
/** Words that begin alike are compared one by one; beyond so many, whatever begins like them is left out. */
const MAX_ALIKE = 8;

/** Whether a header, or a parameter, carries a credential, by its name or by what its value says of itself. */
export function isCredential(name: string, value: string): boolean {
  return CREDENTIAL_NAME.test(name) || CREDENTIAL_VALUE.test(value);
}

/**
 * The credentials in a request's headers, which must not come back in an error text or a receipt: a server that quotes its
 * request would put them there, perhaps as JSON or a URL has them. The tenant writes the request and owns the server, so the work on
 * an answer must not grow with both: words are found by how they begin, and only as much of the answer is read as is shown.
 */
export class Redaction {
  private readonly words = new Map<string, string[]>();

  /**
   * @param headers names and values in turn
   * @param secrets other words of the account's that the request has somewhere
   */
  constructor(headers: readonly string[], secrets: readonly string[] = []) {
    for (let at = 0; at + 1 < headers.length; at += 2) {
      const value = headers[at + 1] as string;
      if (!isCredential(headers[at] as string, value)) continue;
      for (const word of wordsOf(value)) this.add(word);
    }
    for (const secret of secrets) this.add(secret);
  }

  /**
   * The beginning of a text on one line, with … for each word of a credential.
   * @param most characters of the result
   */
  shown(text: string, most: number): string {
    let shown = '';
    let characters = 0;
    for (let at = 0; at < text.length && characters < most; characters++) {
      const hidden = this.hiddenAt(text, at);
      const taken = hidden > 0 ? '…' : String.fromCodePoint(text.codePointAt(at) as number);
      shown += taken;
      at += hidden > 0 ? hidden : taken.length;
    }
    return shown.trimEnd();
  }

  /** How many characters at this place belong to a credential. */
  private hiddenAt(text: string, at: number): number {
    if (this.words.size === 0) return 0;
    const alike = this.words.get(text.slice(at, at + MIN_WORD_CHARACTERS));
    if (alike === undefined) return 0;
    if (alike.length > MAX_ALIKE) return Math.max(MIN_WORD_CHARACTERS, text.slice(at).search(QUOTED_END));
    const lengths = alike.map((word) => commonLength(text, at, word));
    const longest = Math.max(...lengths);
    if (alike.some((word, index) => lengths[index] === longest && word.length === longest)) return longest;
    // Further on it is spelled otherwise, or cut.
    return longest + text.slice(at + longest).search(QUOTED_END);
  }

  private add(word: string): void {
    if (word.length < MIN_WORD_CHARACTERS) return;
    for (const spelling of spellingsOf(word)) this.addSpelling(spelling);
  }

  private addSpelling(word: string): void {
    const beginning = word.slice(0, MIN_WORD_CHARACTERS);
    const alike = this.words.get(beginning);
    if (alike === undefined) this.words.set(beginning, [word]);
    else if (alike.length <= MAX_ALIKE && !alike.includes(word)) alike.push(word);
  }
}

/** Of the value of a credential. */
export function wordsOf(value: string): readonly string[] {
  return value.split(/[\s;,="]+/);
}

/** How servers write a word that they quote. */
function spellingsOf(word: string): Iterable<string> {
  if (/^[\w.~-]*$/.test(word)) return [word];
  const json = JSON.stringify(word).slice(1, -1);
  // Halves of characters, which a URL cannot have, are replaced on the way through a buffer.
  const url = encodeURIComponent(Buffer.from(word).toString());
  const smallUrl = url.replace(/%[0-9A-F]{2}/g, (escape) => escape.toLowerCase());
  return new Set([word, json, json.replaceAll('/', '\\/'), url, smallUrl]);
}

function commonLength(text: string, at: number, word: string): number {
  let length = 0;
  while (length < word.length && text.charCodeAt(at + length) === word.charCodeAt(length)) length++;
  return length;
}
