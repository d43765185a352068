import { UserError } from './errors';
import { shortJson } from './short-json';

/** MySQL takes no JSON that is nested deeper. */
const MAX_DEPTH = 100;
const MIN_INTEGER = -(2n ** 63n);
const MAX_INTEGER = 2n ** 64n - 1n;
/** From here on JavaScript writes an integer with an exponent, so its digits do not pretend to be exact. */
const EXPONENT_FROM = 1e21;
const MAX_INTEGER_DIGITS = 21;
/**
 * Where a number can be that JavaScript does not keep, or an integer beyond 2^53: 16 digits, of which it keeps 15 always, an exponent
 * that makes it larger, or one of three digits.
 */
const SUSPECT = /[\d.]{16}|\d[eE](?:\+?\d|-\d{3})/;
/** Of the path in an error. */
const MAX_PATH_CHARACTERS = 80;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];

/**
 * The value of a JSON text, with every number exactly. An integer beyond 2^53 is a bigint, however it is written: a number would not say
 * that no digit was lost.
 * @throws SyntaxError when it is no JSON
 * @throws UserError for a number that neither can hold
 */
export function parseJson(text: string): unknown {
  const value = JSON.parse(text) as unknown;
  return SUSPECT.test(text) ? new ExactReader(text, numberOf).read() : value;
}

/** The same for what MySQL wrote: a number that cannot be held exactly is the nearest one. */
export function readJson(text: string): unknown {
  const value = JSON.parse(text) as unknown;
  return SUSPECT.test(text) ? new ExactReader(text, (token) => bigOf(token) ?? Number(token)).read() : value;
}

/**
 * A value as JSON, bigints as integers. Undefined members are left out, as JSON.stringify does.
 * @param path of the value, for errors
 * @throws UserError naming the member that cannot be kept: a number that is none, an integer that may have lost digits, a Map
 */
export function writeJson(value: unknown, path: string): string {
  const isPlain = !checkValue(value, path, 1);
  return isPlain ? JSON.stringify(value) : writeWithBigInts(value, '');
}

/**
 * A value as JSON for people, bigints as integers.
 * @param indent a line feed, or nothing for one line
 */
export function showJson(value: unknown, indent = '\n'): string {
  return writeWithBigInts(value, indent);
}

/**
 * Where the value of a member stands in the text of a JSON object: the last one of its name.
 * @param most members that are looked at
 * @returns undefined when it is not among them
 */
export function memberOf(
  text: string,
  name: string,
  most: number,
): { readonly from: number; readonly to: number } | undefined {
  let found: { from: number; to: number } | undefined;
  for (const { key, from, to } of membersIn(text, most)) if (isKey(key, name)) found = { from, to };
  return found;
}

/**
 * The first name that the text of a JSON object gives to two members, of which reading it keeps the last.
 * @param most members that are looked at
 */
export function repeatedMember(text: string, most: number): string | undefined {
  const names = new Set<string>();
  for (const { key } of membersIn(text, most)) {
    const name = JSON.parse(key) as string;
    if (names.has(name)) return name;
    names.add(name);
  }
  return undefined;
}

/** The members of the text of a JSON object: their names in quotes, and where their values stand. */
function* membersIn(text: string, most: number): Generator<{ key: string; from: number; to: number }> {
  let at = spaceEnd(text, spaceEnd(text, 0) + 1);
  for (let members = 0; members < most && text.charCodeAt(at) === QUOTE; members++) {
    const keyEnd = stringEnd(text, at);
    const from = spaceEnd(text, spaceEnd(text, keyEnd) + 1);
    const to = valueEnd(text, from);
    yield { key: text.slice(at, keyEnd), from, to };
    // Past the comma; past the brace that ends the object nothing begins with a quote.
    at = spaceEnd(text, spaceEnd(text, to) + 1);
  }
}

/** Says whether a JSON text has more arrays, objects and members of these than so many. It is not read for that, so it need not be JSON. */
export function hasMoreValues(text: string, most: number): boolean {
  // Each takes a character at least.
  if (text.length <= most) return false;
  let values = 0;
  for (let at = 0; at < text.length && values <= most; ) {
    const code = text.charCodeAt(at);
    if (code === COMMA || code === OPEN_LIST || code === OPEN_OBJECT) values++;
    at = code === QUOTE ? stringEnd(text, at) : at + 1;
  }
  return values > most;
}

function isKey(quoted: string, name: string): boolean {
  return quoted.includes('\\') ? JSON.parse(quoted) === name : quoted === `"${name}"`;
}

function spaceEnd(text: string, from: number): number {
  let at = from;
  while (at < text.length && text.charCodeAt(at) <= 0x20) at++;
  return at;
}

/** @param from where the opening quote stands */
function stringEnd(text: string, from: number): number {
  for (let at = text.indexOf('"', from + 1); at !== -1; at = text.indexOf('"', at + 1)) {
    let before = at - 1;
    while (text.charCodeAt(before) === BACKSLASH) before--;
    // An even number of backslashes escape one another, and not the quote.
    if ((at - before) % 2 === 1) return at + 1;
  }
  return text.length;
}

function valueEnd(text: string, from: number): number {
  const first = text.charCodeAt(from);
  if (first === QUOTE) return stringEnd(text, from);
  let at = from;
  if (first !== OPEN_LIST && first !== OPEN_OBJECT) {
    while (at < text.length && !/[,\]}\s]/.test(text.charAt(at))) at++;
    return at;
  }
  for (let depth = 0; at < text.length; ) {
    const code = text.charCodeAt(at);
    at = code === QUOTE ? stringEnd(text, at) : at + 1;
    if (code === OPEN_LIST || code === OPEN_OBJECT) depth++;
    else if ((code === CLOSE_LIST || code === CLOSE_OBJECT) && --depth === 0) return at;
  }
  return at;
}

/** Reads a text that is known to be JSON. */
class ExactReader {
  private at = 0;

  constructor(
    private readonly text: string,
    private readonly readNumber: (token: string) => number | bigint,
  ) {}

  read(depth = 1): unknown {
    this.at = spaceEnd(this.text, this.at);
    const first = this.text.charAt(this.at);
    if (first === '[') return this.list(depth, ']', () => this.read(depth + 1));
    if (first === '{') {
      const entries = this.list(depth, '}', () => {
        const name = this.read() as string;
        this.at = spaceEnd(this.text, this.at) + 1;
        return [name, this.read(depth + 1)] as const;
      });
      return Object.fromEntries(entries);
    }
    const end = valueEnd(this.text, this.at);
    const token = this.text.slice(this.at, end);
    this.at = end;
    return /^[-\d]/.test(token) ? this.readNumber(token) : JSON.parse(token);
  }

  private list<T>(depth: number, end: string, item: () => T): T[] {
    checkDepth('JSON', depth);
    const items: T[] = [];
    // Past the bracket, and after each item past the comma.
    for (this.at++; ; this.at++) {
      this.at = spaceEnd(this.text, this.at);
      if (this.text.charAt(this.at) !== end) items.push(item());
      this.at = spaceEnd(this.text, this.at);
      if (this.text.charAt(this.at) === end) break;
    }
    this.at++;
    return items;
  }
}

/** A bigint for an integer beyond 2^53 that is kept exactly. */
function bigOf(token: string): bigint | undefined {
  const value = integerOf(token);
  return value === undefined || Number.isSafeInteger(Number(value)) || !isKept(value) ? undefined : value;
}

function numberOf(token: string): number | bigint {
  const big = bigOf(token);
  if (big !== undefined) return big;
  const value = Number(token);
  if (Number.isFinite(value) && significant(token) === significant(String(value))) return value;
  const shown = token.length > 40 ? `${token.slice(0, 40)}…` : token;
  throw new UserError(
    `${shown}: this number cannot be kept exactly (integers have 64 bits, others some 16 digits); give it as a text`,
  );
}

/** What MySQL keeps exactly: 64 bits, and beyond them what the nearest number of double precision is written as. */
function isKept(value: bigint): boolean {
  if (value >= MIN_INTEGER && value <= MAX_INTEGER) return true;
  const nearest = Number(value);
  return Number.isFinite(nearest) && significant(String(value)) === significant(String(nearest));
}

/** The integer that is written so, unless it has so many digits that JavaScript writes it with an exponent. */
function integerOf(token: string): bigint | undefined {
  const { sign, digits, exponent } = decimalOf(token);
  if (exponent < 0 || digits.length + exponent > MAX_INTEGER_DIGITS) return undefined;
  return BigInt(`${sign}${digits}${'0'.repeat(exponent)}`);
}

function significant(token: string): string {
  const { sign, digits, exponent } = decimalOf(token);
  return `${sign}${digits}e${exponent}`;
}

/** A decimal number without what does not change its value: no zeros before its digits or after them. */
function decimalOf(token: string): { readonly sign: string; readonly digits: string; readonly exponent: number } {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(token) ?? [];
  const digits = (whole + fraction).replace(/^0+/, '');
  // A pattern would look at each run of zeros from each of them.
  let end = digits.length;
  while (digits.charAt(end - 1) === '0') end--;
  const bare = digits.slice(0, end);
  if (bare === '') return { sign: '', digits: '0', exponent: 0 };
  return { sign, digits: bare, exponent: Number(exponent) - fraction.length + digits.length - bare.length };
}

/**
 * @returns whether there are bigints in it
 * @throws UserError for what JSON cannot keep
 */
function checkValue(value: unknown, path: string, depth: number): boolean {
  if (typeof value === 'bigint') {
    if (isKept(value)) return true;
    throw new UserError(`${shownPath(path)}: ${shortJson(value)} has more than 64 bits; give it as a text`);
  }
  if (typeof value === 'number') checkNumber(value, path);
  const lost = lostIn(value);
  if (lost !== undefined) throw new UserError(`${shownPath(path)}: ${lost} is no value of JSON`);
  if (typeof value !== 'object' || value === null) return false;
  checkDepth(path, depth);
  // A member of this name that is no function is one like any other.
  if ('toJSON' in value && typeof value.toJSON === 'function') return checkValue(value.toJSON(), path, depth + 1);
  let has = false;
  for (const [name, member] of Object.entries(value)) {
    if (checkValue(member, Array.isArray(value) ? `${path}[${name}]` : `${path}.${name}`, depth + 1)) has = true;
  }
  return has;
}

/** What JSON has no way to say, and JavaScript would leave out, empty or take apart in silence; undefined for anything else. */
function lostIn(value: unknown): string | undefined {
  if (typeof value === 'function' || typeof value === 'symbol') return `a ${typeof value}`;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const kind = Object.prototype.toString.call(value).slice('[object '.length, -1);
  if (ArrayBuffer.isView(value) || kind === 'String') return `an object of the class ${kind}`;
  if (kind === 'Date') return Number.isNaN(Number(value)) ? 'a date that is none' : undefined;
  // What has members of its own, or says itself how it is written, loses nothing.
  if (kind === 'Object' || 'toJSON' in value || Object.keys(value).length > 0) return undefined;
  return `an object of the class ${kind}`;
}

function checkNumber(value: number, path: string): void {
  if (!Number.isFinite(value)) throw new UserError(`${shownPath(path)}: ${value} is no number of JSON`);
  if (Number.isInteger(value) && !Number.isSafeInteger(value) && Math.abs(value) < EXPONENT_FROM) {
    throw new UserError(
      `${shownPath(path)}: ${value} is beyond 2^53, so it may have lost digits before it came here; give a bigint or a text`,
    );
  }
}

function checkDepth(path: string, depth: number): void {
  if (depth > MAX_DEPTH) throw new UserError(`${shownPath(path)}: nested deeper than ${MAX_DEPTH} levels`);
}

function shownPath(path: string): string {
  return path.slice(0, MAX_PATH_CHARACTERS);
}

/** @param indent of the lines, beginning with a line feed; empty for one line */
function writeWithBigInts(value: unknown, indent: string): string {
  if (typeof value === 'bigint') return String(value);
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  if ('toJSON' in value && typeof value.toJSON === 'function') return writeWithBigInts(value.toJSON(), indent);
  const inner = indent === '' ? '' : `${indent}  `;
  const [open, close, items] = Array.isArray(value)
    ? ['[', ']', value.map((item) => writeWithBigInts(item, inner))]
    : ['{', '}', membersOf(value, inner)];
  return items.length === 0 ? open + close : `${open}${inner}${items.join(`,${inner}`)}${indent}${close}`;
}

function membersOf(value: object, inner: string): string[] {
  const colon = inner === '' ? ':' : ': ';
  return Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .map(([name, member]) => `${JSON.stringify(name)}${colon}${writeWithBigInts(member, inner)}`);
}
