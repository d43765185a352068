import { isCredential, MIN_WORD_CHARACTERS, Redaction, wordsOf } from '../http/redaction';
import type { ApiRequest } from '../provider/api';

/** Nothing after it is looked at, nor shown. */
const MAX_TEXT_CHARACTERS = 16 * 1024;
/** Of the requests of one call. */
const MAX_CREDENTIALS = 100;
/** In names of parameters: what is no credential, and is often in a receipt. */
const NO_CREDENTIAL = /author(?!i[sz])|idempotency.?key/gi;
/** What follows these names is a credential, unless it is a word of a sentence. */
const AUTHORIZATION = /\b(basic|bearer)((?::?\s|%20|\+)+)([^\s"'\\,;]+)/gi;
const WORD = /^\p{L}\p{Ll}*[.:!?)]*$/u;
/** What may be base64, as it is or as a URL or JSON has it. */
const ENCODED = /[\w+/%\\-]{8,}={0,2}/g;
/** The same in the lines of a mail: only the last one is short. */
const WRAPPED = /(?<![\w+/%\\-])(?:[\w+/%\\-]{60,}\s+)+[\w+/%\\-]{2,}={0,2}/g;
/** Of base64 that is cut, beginnings and ends of secrets in it are known from so many bytes on. */
const CUT_BYTES = 10;

/** What of a request it may be authorized by. */
type Authorized = Pick<ApiRequest, 'headers' | 'url' | 'form' | 'parts'>;

/** What the texts of a package may not quote: secrets of an account, in the forms in which they are quoted, and what its requests carry. */
export class Quotes {
  private readonly secrets: readonly string[];
  /** The bytes of each, as programs encode them. */
  private readonly secretBytes: readonly Buffer[];
  /** What requests were authorized by: names by their values. */
  private readonly credentials = new Map<string, string>();

  constructor(secrets: readonly string[]) {
    // Of one that has a colon the halves may be quoted apart.
    const parts = secrets.flatMap((secret) => [secret, ...secret.split(':')]);
    this.secrets = parts.filter((part) => part.length >= MIN_WORD_CHARACTERS);
    this.secretBytes = this.secrets.flatMap((secret) => [Buffer.from(secret), Buffer.from(secret, 'latin1')]);
  }

  /** The credentials among the headers of a request, and among the parameters of its URL and its form, are not quoted either. */
  add({ headers = {}, url, form = new URLSearchParams(), parts = [] }: Authorized): void {
    for (const [name, value] of Object.entries<unknown>(headers)) this.addIfCredential(name, String(value));
    const fields = parts.flatMap((part): [string, string][] => ('text' in part ? [[part.name, part.text]] : []));
    for (const [name, value] of [...url.searchParams, ...form, ...fields]) {
      this.addIfCredential(name.replace(NO_CREDENTIAL, ''), value);
    }
  }

  private addIfCredential(name: string, value: string): void {
    if (this.credentials.size >= MAX_CREDENTIALS || !isCredential(name, value)) return;
    this.credentials.set(value.slice(0, MAX_TEXT_CHARACTERS), name);
  }

  /**
   * The text on one line, without them.
   * @param most characters of the result
   */
  shown(text: string, most: number): string {
    const plain = text
      .slice(0, MAX_TEXT_CHARACTERS)
      .replace(AUTHORIZATION, (all, name: string, between: string, value: string) =>
        WORD.test(value) ? all : `${name}${between}…`,
      );
    return this.withoutThem(plain, most);
  }

  /** The same for a receipt: it is no sentence, so what introduces a credential elsewhere is a part of it. */
  shownReceipt(text: string, most: number): string {
    return this.withoutThem(text.slice(0, MAX_TEXT_CHARACTERS), most);
  }

  private withoutThem(text: string, most: number): string {
    const { secrets } = this;
    const credentials = [...this.credentials].flatMap(([value, name]) => [name, value]);
    const words = secrets.flatMap((secret) => ['authorization', secret]);
    const given = [...this.credentials.keys()].flatMap(wordsOf);
    const redaction = new Redaction([...credentials, ...words], [...secrets, ...given].flatMap(spellingsOf));
    const hidden = (word: string) => (this.isIn(word) ? '…' : word);
    return redaction.shown(text.replace(WRAPPED, hidden).replace(ENCODED, hidden), most);
  }

  /** Whether this is base64 of something that has a secret in it, or a part of one where it is cut. */
  private isIn(word: string): boolean {
    const plain = word
      .replace(/%([0-9a-f]{2})|\\u00([0-9a-f]{2})/gi, (_, url: string | undefined, json: string) =>
        String.fromCharCode(Number.parseInt(url ?? json, 16)),
      )
      // Line ends, as they are and as JSON has them, and the backslash that it may have before a slash.
      .replace(/\s+|\\[nrt]?/g, '');
    // What stands before it may belong to it or not.
    const decoded = [0, 1, 2, 3].map((from) => Buffer.from(plain.slice(from), 'base64'));
    return this.secretBytes.some((secret) =>
      decoded.some(
        (bytes) =>
          bytes.includes(secret.subarray(0, CUT_BYTES)) ||
          bytes.includes(secret.subarray(-CUT_BYTES)) ||
          (bytes.length >= CUT_BYTES && secret.includes(bytes)),
      ),
    );
  }
}

/** Besides those that a redaction knows: as a form has it, and as JSON of nothing but ASCII. */
function spellingsOf(secret: string): readonly string[] {
  const form = new URLSearchParams({ a: secret }).toString().slice(2);
  const json = JSON.stringify(secret).slice(1, -1);
  const ascii = json.replace(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
  return [...new Set([secret, form, ascii])];
}
