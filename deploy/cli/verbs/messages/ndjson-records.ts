import { reasonOf, UserError } from '../../../../topology/core/errors';
import { parseJson, repeatedMember } from '../../../../topology/core/json-text';
import { FIELDS, MAX_RECORD_BYTES, type SourceRecord } from './source-record';
import { undecodable } from './text-encoding';

const CLIENTS_NAMES: ReadonlyMap<string, string> = new Map([
  ['dueAt', 'due_at'],
  ['dedupeKey', 'dedupe_key'],
  ['localTime', 'local_time'],
  ['sendWithin', 'send_within'],
  ['onLate', 'on_late'],
]);
/** Of a line that are looked at for one that is there twice: more than fields have names, so beyond them is one that nobody knows. */
const MAX_MEMBERS = 16;
/** Of a field that nobody knows. */
const MAX_NAME_SHOWN = 80;

/** One JSON object a line. */
export async function* ndjsonRecords(chunks: AsyncIterable<Buffer>): AsyncGenerator<SourceRecord> {
  let line = 0;
  for await (const bytes of lines(chunks)) {
    line += 1;
    if (bytes === null) {
      yield { line, ok: false, reason: `longer than ${MAX_RECORD_BYTES} bytes` };
      continue;
    }
    // Files that were put together have a mark where each begins.
    const text = bytes.toString().replace(/^\ufeff/, '');
    if (text.trim() !== '') yield jsonRecord(line, text);
  }
}

function jsonRecord(line: number, text: string): SourceRecord {
  const unreadable = undecodable(text);
  if (unreadable !== undefined) return { line, ok: false, reason: unreadable };
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (error) {
    return { line, ok: false, reason: error instanceof UserError ? error.message : `not JSON: ${reasonOf(error)}` };
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { line, ok: false, reason: 'not a JSON object' };
  }
  const repeated = repeatedMember(text, MAX_MEMBERS);
  if (repeated !== undefined) return { line, ok: false, reason: `${repeated.slice(0, MAX_NAME_SHOWN)}: given twice` };
  const fields = Object.fromEntries(Object.entries(value).map(([name, field]) => [snake(name), field]));
  const twice = Object.keys(value).find((name) => snake(name) !== name && Object.hasOwn(value, snake(name)));
  if (twice !== undefined) return { line, ok: false, reason: `${snake(twice)}: given twice, as ${twice} too` };
  const unknown = Object.keys(fields).find((name) => !FIELDS.includes(name));
  if (unknown !== undefined)
    return {
      line,
      ok: false,
      reason: `${unknown.slice(0, MAX_NAME_SHOWN)}: unknown field (known: ${FIELDS.join(', ')})`,
    };
  return { line, ok: true, fields };
}

/** The client's names are known too: `dueAt` for `due_at`. */
function snake(name: string): string {
  return CLIENTS_NAMES.get(name) ?? name;
}

/** Lines as bytes, split at \n alone (JSON may hold U+2028); null for a line that is too long. */
async function* lines(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer | null> {
  let parts: Buffer[] = [];
  let length = 0;
  const take = () => {
    const line = length > MAX_RECORD_BYTES ? null : Buffer.concat(parts);
    parts = [];
    length = 0;
    return line;
  };
  const keep = (part: Buffer) => {
    length += part.length;
    if (length > MAX_RECORD_BYTES) parts = [];
    else parts.push(part);
  };
  for await (const chunk of chunks) {
    let from = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, from)) {
      keep(chunk.subarray(from, end));
      yield take();
      from = end + 1;
    }
    if (from < chunk.length) keep(chunk.subarray(from));
  }
  if (length > 0) yield take();
}
