import { reasonOf, UserError } from '../../../../topology/core/errors';
import { parseJson } from '../../../../topology/core/json-text';
import type { Schemas } from '../../../../topology/payloads/given-channel';
import { FIELDS, type SourceRecord } from './source-record';
import { undecodable } from './text-encoding';
import { jsonOrText, payloadField } from './typed-fields';

/** What a spreadsheet shows in place of a value: an error of a formula, or a column that is too narrow. */
const SHEET_ERROR = /^#(?:REF!|N\/A|NAME\?|VALUE!|DIV\/0!|NULL!|NUM!|SPILL!|CALC!|ERROR!|#+)$/;
/** A long number that a spreadsheet has rounded: its digits are lost. */
const ROUNDED = /^[+-]?\d(?:[.,]\d+)?E[+-]?\d+$/i;
const CURLY_QUOTED = /^[“”„«»‘’].*[“”„«»‘’]$/s;

/** @throws UserError naming what is wrong with the names of the columns */
export function checkHeader(line: number, cells: readonly string[]): string[] {
  const last = cells.findLastIndex((cell) => cell.trim() !== '');
  const names = cells.slice(0, last + 1).map((cell) => cell.trim());
  const refuse = (reason: string) => new UserError(`line ${line}: ${reason}`);
  const wrong = names.find((name) => name !== '' && !FIELDS.includes(name) && !/^payload\.[^.]/.test(name));
  if (wrong !== undefined) {
    const known = `Known: ${FIELDS.join(', ')}, and payload.<field> such as payload.url.`;
    throw refuse(undecodable(wrong) ?? `unknown column ${JSON.stringify(wrong)}. ${known}`);
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

/** A record of the fields that a row gives; an empty cell gives none. */
export function recordOf(
  line: number,
  header: readonly string[],
  cells: readonly string[],
  schemas?: Schemas,
): SourceRecord {
  if (cells.length < header.length || !isBlank(cells.slice(header.length))) {
    return { line, ok: false, reason: `${cells.length} columns, and the first line names ${header.length}` };
  }
  const row = new Map(header.map((name, index) => [name === '' ? index : name, cells[index] as string]));
  const channel = row.get('channel')?.trim();
  const fields: Record<string, unknown> = {};
  let payload: Record<string, unknown> | undefined;
  for (const [name, cell] of row) {
    if (cell.trim() === '') continue;
    const title = typeof name === 'number' ? `column ${name + 1}` : name;
    try {
      checkCell(name, cell.trim());
      if (typeof name === 'number') continue;
      if (name === 'payload') fields['payload'] = parseJson(cell);
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

/** @throws UserError for what a spreadsheet has put in place of the value that somebody typed */
function checkCell(name: string | number, cell: string): void {
  const unreadable = undecodable(cell);
  if (unreadable !== undefined) throw new UserError(unreadable);
  if (typeof name === 'number') throw new UserError(`holds ${shown(cell)}, and the first line gives it no name`);
  if (SHEET_ERROR.test(cell)) throw new UserError(`the spreadsheet shows ${shown(cell)} in place of a value`);
  if (name.startsWith('payload')) return;
  if (ROUNDED.test(cell)) {
    throw new UserError(
      `${shown(cell)} is a number that the spreadsheet has rounded; format the column as text and enter it again`,
    );
  }
  if (CURLY_QUOTED.test(cell)) throw new UserError(`${shown(cell)} stands in typographic quotes; leave them out`);
}

/** A cell as the option of the same field is read; below a field (`payload.body.text`) everything is text. */
function valueOf(channel: unknown, path: readonly string[], cell: string, schemas: Schemas | undefined): unknown {
  const field = path.length === 1 ? payloadField(channel, path[0] as string, schemas) : undefined;
  if (field?.takes === 'json') return jsonOrText(cell);
  return field?.takes === 'entry' ? parseJson(cell) : cell;
}

/** `headers.X-Tag` sets `{headers: {'X-Tag': value}}`. */
function setPath(target: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [name, ...rest] = path as [string, ...string[]];
  if (rest.length === 0) {
    setOwn(target, name, value);
    return;
  }
  const inner = Object.hasOwn(target, name) ? target[name] : undefined;
  const nested = typeof inner === 'object' && inner !== null ? (inner as Record<string, unknown>) : {};
  setOwn(target, name, nested);
  setPath(nested, rest, value);
}

/** Defines rather than assigns, so that a column called `payload.__proto__` is a field like any other. */
function setOwn(target: Record<string, unknown>, name: string, value: unknown): void {
  Object.defineProperty(target, name, { value, enumerable: true, configurable: true, writable: true });
}

function shown(cell: string): string {
  return JSON.stringify(cell.length > 60 ? `${cell.slice(0, 60)}…` : cell);
}
