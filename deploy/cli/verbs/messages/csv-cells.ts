import { reasonOf, UserError } from '../../../../topology/core/errors';
import { parseJson } from '../../../../topology/core/json-text';
import { shortJson } from '../../../../topology/core/short-json';
import type { Schemas } from '../../../../topology/payloads/given-channel';
import { FIELDS, type SourceRecord } from './source-record';
import { undecodable } from './text-encoding';
import { jsonOrText, payloadField } from './typed-fields';

/** What a spreadsheet shows in place of a value: an error of a formula, or a column that is too narrow. */
const SHEET_ERROR = /^#(?:REF!|N\/A|NAME\?|VALUE!|DIV\/0!|NULL!|NUM!|SPILL!|CALC!|ERROR!|#+)$/;
/** A number as spreadsheets write one that is too long for them. What programs write has a small e or no sign after it. */
const ROUNDED = /^[+-]?(?<whole>\d{1,3})(?:[.,]\d+)?E(?<exponent>[+-]\d+)$/;
/** From here on they write a number so by themselves, whether digits are lost or not. */
const ROUNDED_FROM_DIGITS = 12;
/** Blanks at their ends, and what cannot be seen, would make two accounts or keys of what looks like one. NDJSON keeps them. */
const NAMES: readonly (string | number)[] = ['account', 'dedupe_key'];
/**
 * Joiners are a part of some scripts within a word, and marks of the direction of text stick to what is copied. U+E007F ends the flags
 * of England, Scotland and Wales.
 */
const UNSEEN = /^\p{Cf}|(?!\u{e007f})\p{Cf}$|\p{Cc}/u;
/** How programs keep spreadsheets from making a number of a text. A spreadsheet that saves the file leaves it out. */
const FORMULA_OF_TEXT = /^="(?:[^"]|"")*"$/;
const CURLY_QUOTED = /^[“”„«»‘’].*[“”„«»‘’]$/s;

/** @throws UserError naming what is wrong with the names of the columns */
export function checkHeader(line: number, cells: readonly string[]): string[] {
  const last = cells.findLastIndex((cell) => cell.trim() !== '');
  const names = cells.slice(0, last + 1).map((cell) => cell.trim());
  const refuse = (reason: string) => new UserError(`line ${line}: ${reason}`);
  const wrong = names.find((name) => name !== '' && !FIELDS.includes(name) && !/^payload\.[^.]/.test(name));
  if (wrong !== undefined) {
    const known = `Known: ${FIELDS.join(', ')}, and payload.<field> such as payload.url.`;
    throw refuse(undecodable(wrong) ?? `unknown column ${shortJson(wrong)}. ${known}`);
  }
  const missing = ['account', 'channel', 'due_at'].find((name) => !names.includes(name));
  if (missing !== undefined) throw refuse(`the column ${missing} is missing; the first line names them.`);
  const twice = names.find((name, index) => name !== '' && names.indexOf(name) !== index);
  if (twice !== undefined) throw refuse(`the column ${twice} is there twice.`);
  if (names.includes('payload') && names.some((name) => name.startsWith('payload.'))) {
    throw refuse('give either the column payload (JSON) or columns payload.<field>, not both.');
  }
  return names;
}

export function isBlank(cells: readonly string[]): boolean {
  return cells.every((cell) => cell.trim() === '');
}

/**
 * A record of the fields that a row gives; an empty cell gives none. Cells of the payload are taken byte for byte; the others
 * must have no blanks at their ends, or these do not count.
 */
export function recordOf(
  line: number,
  header: readonly string[],
  cells: readonly string[],
  schemas?: Schemas,
): SourceRecord {
  const columns = `${cells.length} columns, and the first line names ${header.length}`;
  if (!isBlank(cells.slice(header.length))) return { line, ok: false, reason: columns };
  const row = new Map(header.map((name, index) => [name === '' ? index : name, cells[index] ?? '']));
  const channel = row.get('channel')?.trim();
  const missing = header.slice(cells.length).find((name) => isRequired(channel, name, schemas));
  if (missing !== undefined) return { line, ok: false, reason: `${missing}: missing; the row has ${columns}` };
  const fields: Record<string, unknown> = {};
  let payload: Record<string, unknown> | undefined;
  for (const [name, cell] of row) {
    if (cell === '' || (cell.trim() === '' && !isKept(name))) continue;
    const title = typeof name === 'number' ? `column ${name + 1}` : name;
    try {
      checkCell(name, cell.trim());
      if (typeof name === 'number') continue;
      if (NAMES.includes(name)) fields[name] = nameOf(cell);
      else if (name === 'payload') fields['payload'] = parseJson(cell);
      else if (name.startsWith('payload.')) {
        payload ??= {};
        const path = name.split('.').slice(1);
        setPath(payload, path, valueOf(channel, path, cell, schemas));
      } else fields[name] = cell.trim();
    } catch (error) {
      const reason = error instanceof SyntaxError ? `not JSON: ${reasonOf(error)}` : reasonOf(error);
      return { line, ok: false, reason: `${title}: ${reason}` };
    }
  }
  return { line, ok: true, fields: payload === undefined ? fields : { ...fields, payload } };
}

/** Whether blanks are part of what a cell says. */
function isKept(name: string | number): boolean {
  return typeof name === 'string' && (NAMES.includes(name) || name.startsWith('payload.'));
}

/** Whether a row cannot do without the column. */
function isRequired(channel: string | undefined, name: string, schemas: Schemas | undefined): boolean {
  if (['account', 'channel', 'due_at', 'payload'].includes(name)) return true;
  const [first, field = '', ...rest] = name.split('.');
  return first === 'payload' && rest.length === 0 && payloadField(channel, field, schemas)?.required === true;
}

/** @throws UserError when there are blanks at its ends, or what cannot be seen */
function nameOf(cell: string): string {
  const isTrimmed = cell === cell.trim();
  if (isTrimmed && !UNSEEN.test(cell)) return cell;
  const what = isTrimmed ? 'holds characters that cannot be seen' : 'begins or ends with blanks';
  throw new UserError(
    `${shown(cell)} ${what}, and would be another one than without them; take them away, or write NDJSON, which keeps them`,
  );
}

/** @throws UserError for what a spreadsheet has put in place of the value that somebody typed */
function checkCell(name: string | number, cell: string): void {
  const unreadable = undecodable(cell);
  if (unreadable !== undefined) throw new UserError(unreadable);
  if (typeof name === 'number') throw new UserError(`holds ${shown(cell)}, and the first line gives it no name`);
  if (SHEET_ERROR.test(cell)) throw new UserError(`the spreadsheet shows ${shown(cell)} in place of a value`);
  const isPayload = name.startsWith('payload');
  if (isRounded(cell, isPayload ? ROUNDED_FROM_DIGITS : Number.NEGATIVE_INFINITY)) {
    const otherwise = isPayload ? ', or write a small e if it is meant as it stands' : '';
    throw new UserError(
      `${shown(cell)} is a number that the spreadsheet has rounded; format the column as text and enter it again${otherwise}`,
    );
  }
  if (isPayload) return;
  if (CURLY_QUOTED.test(cell)) throw new UserError(`${shown(cell)} stands in typographic quotes; leave them out`);
  if (FORMULA_OF_TEXT.test(cell))
    throw new UserError(`${shown(cell)} is a formula; write what stands in its quotes alone`);
}

/** @param fromDigits before the decimal point: shorter numbers are what somebody wrote */
function isRounded(cell: string, fromDigits: number): boolean {
  const { whole = '', exponent = '' } = ROUNDED.exec(cell)?.groups ?? {};
  return exponent !== '' && whole.length + Number(exponent) >= fromDigits;
}

/** A cell as the option of the same field is read; below a field (`payload.body.text`) everything is text. */
function valueOf(channel: unknown, path: readonly string[], cell: string, schemas: Schemas | undefined): unknown {
  const field = path.length === 1 ? payloadField(channel, path[0] as string, schemas) : undefined;
  if (field?.takes === 'json') return jsonOrText(cell);
  return field?.takes === 'entry' ? parseJson(cell) : cell;
}

/** `headers.X-Tag` sets `{headers: {'X-Tag': value}}`. @throws UserError when another column has given a value there */
function setPath(target: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [name, ...rest] = path as [string, ...string[]];
  const inner = Object.hasOwn(target, name) ? target[name] : undefined;
  const isNested = typeof inner === 'object' && inner !== null && !Array.isArray(inner);
  if (inner !== undefined && (rest.length === 0 || !isNested)) {
    throw new UserError('two columns give a value for it; leave one of them empty');
  }
  if (rest.length === 0) {
    setOwn(target, name, value);
    return;
  }
  const nested = isNested ? (inner as Record<string, unknown>) : {};
  setOwn(target, name, nested);
  setPath(nested, rest, value);
}

/** Defines rather than assigns, so that a column called `payload.__proto__` is a field like any other. */
function setOwn(target: Record<string, unknown>, name: string, value: unknown): void {
  Object.defineProperty(target, name, { value, enumerable: true, configurable: true, writable: true });
}

function shown(cell: string): string {
  const short = JSON.stringify(cell.length > 60 ? `${cell.slice(0, 60)}…` : cell);
  return short.replace(/\p{Cf}/gu, (unseen) => `\\u{${unseen.codePointAt(0)?.toString(16)}}`);
}
