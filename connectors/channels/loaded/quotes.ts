import { isCredential, MIN_WORD_CHARACTERS, Redaction } from '../http/redaction';
import type { ApiRequest } from '../provider/api';

/** Nothing after it is looked at, nor shown. */
const MAX_TEXT_CHARACTERS = 16 * 1024;
/** Of the requests of one call. */
const MAX_HEADERS = 100;
/** What follows these names is a credential, unless it is a word of a sentence. */
const AUTHORIZATION = /\b(basic|bearer)((?::?\s|%20|\+)+)([^\s"'\\,;]+)/gi;
const WORD = /^\p{L}\p{Ll}*[.:!?)]*$/u;
/** What may be base64, as it is or as a URL or JSON has it. */
const ENCODED = /[\w+/%\\-]{8,}={0,2}/g;

/** What the texts of a package may not quote: secrets of an account, in the forms in which they are quoted, and what its requests carry. */
export class Quotes {
  private readonly secrets: readonly string[];
  /** Names by their values; of two names of one value, that of a credential. */
  private readonly headers = new Map<string, string>();

  constructor(secrets: readonly string[]) {
    // Of one that has a colon the halves may be quoted apart.
    const parts = secrets.flatMap((secret) => [secret, ...secret.split(':')]);
    this.secrets = parts.filter((part) => part.length >= MIN_WORD_CHARACTERS);
  }

  /** The credentials among the headers of a request are not quoted either. */
  add({ headers = {} }: Pick<ApiRequest, 'headers'>): void {
    for (const [name, value] of Object.entries<unknown>(headers)) {
      const text = String(value);
      if (isCredential(name, text) && this.headers.size < MAX_HEADERS) this.headers.set(text, name);
    }
  }

  /**
   * The text on one line, without them.
   * @param most characters of the result
   */
  shown(text: string, most: number): string {
    const { secrets } = this;
    const headers = [...this.headers].flatMap(([value, name]) => [name, value]);
    const words = secrets.flatMap((secret) => ['authorization', secret]);
    const redaction = new Redaction([...headers, ...words], secrets.flatMap(spellingsOf));
    const plain = text
      .slice(0, MAX_TEXT_CHARACTERS)
      .replace(AUTHORIZATION, (all, name: string, between: string, value: string) =>
        WORD.test(value) ? all : `${name}${between}…`,
      )
      .replace(ENCODED, (word) => (this.isIn(word) ? '…' : word));
    return redaction.shown(plain, most);
  }

  /** Whether this is base64 of something that has a secret in it. */
  private isIn(word: string): boolean {
    const plain = word.replace(/%([0-9a-f]{2})/gi, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)));
    // What stands before it may belong to it or not.
    const decoded = [0, 1, 2, 3].map((from) => Buffer.from(plain.slice(from), 'base64'));
    return this.secrets.some((secret) => decoded.some((bytes) => bytes.includes(secret)));
  }
}

/** Besides those that a redaction knows: as a form has it, and as JSON of nothing but ASCII. */
function spellingsOf(secret: string): readonly string[] {
  const form = new URLSearchParams({ a: secret }).toString().slice(2);
  const json = JSON.stringify(secret).slice(1, -1);
  const ascii = json.replace(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
  return [...new Set([secret, form, ascii])];
}
