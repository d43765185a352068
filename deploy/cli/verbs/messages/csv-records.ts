import { parse } from 'csv-parse';
import { reasonOf, UserError } from '../../../../topology/core/errors';
import { FIELDS, MAX_RECORD_BYTES, type SourceRecord } from './source-record';

interface CsvItem {
  readonly info: { readonly lines: number };
  readonly record: readonly string[];
}

/** @throws UserError when the header is wrong */
export async function* csvRecords(chunks: AsyncIterable<Buffer>): AsyncGenerator<SourceRecord> {
  let unreadable: string | undefined;
  const parser = parse({
    bom: true,
    info: true,
    ltrim: true,
    skip_empty_lines: true,
    // The parser's own recovery from these two loses the lines that follow; they are checked here instead.
    relax_quotes: true,
    relax_column_count: true,
    max_record_size: MAX_RECORD_BYTES,
    skip_records_with_error: true,
    on_skip: (error) => {
      unreadable ??= /QUOTE_NOT_CLOSED|MAX_RECORD_SIZE/.test(error?.code ?? '')
        ? 'a quote that is opened here or below is not closed; nothing after it was read'
        : (error?.message ?? 'not readable');
      return undefined;
    },
  });
  const feeding = feed(chunks, parser);
  let header: string[] | undefined;
  let line = 0;
  try {
    for await (const { info, record } of parser as AsyncIterable<CsvItem>) {
      line = info.lines;
      if (header === undefined) header = checkHeader(record);
      else yield csvRecord(line, header, record);
    }
    if (unreadable !== undefined) yield { line: line + 1, ok: false, reason: unreadable };
  } finally {
    parser.destroy();
    await feeding;
  }
}

/** Writes the chunks with back-pressure; what goes wrong surfaces where the parser is read. */
async function feed(chunks: AsyncIterable<Buffer>, parser: ReturnType<typeof parse>): Promise<void> {
  try {
    for await (const chunk of chunks) {
      if (parser.destroyed) return;
      if (!parser.write(chunk)) await drained(parser);
    }
    parser.end();
  } catch (error) {
    parser.destroy(error instanceof Error ? error : new Error(String(error)));
  }
}

function drained(parser: ReturnType<typeof parse>): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      parser.off('drain', done).off('close', done);
      resolve();
    };
    parser.once('drain', done).once('close', done);
  });
}

function checkHeader(header: readonly string[]): string[] {
  const wrong = header.find((name) => !FIELDS.includes(name) && !/^payload\.[^.]/.test(name));
  if (wrong !== undefined) {
    throw new UserError(
      `line 1: unknown column ${JSON.stringify(wrong)}. Known: ${FIELDS.join(', ')}, and payload.<field> such as payload.url.`,
    );
  }
  const missing = ['account', 'channel', 'due_at'].find((name) => !header.includes(name));
  if (missing !== undefined)
    throw new UserError(`line 1: the column ${missing} is missing; the first line names them.`);
  const twice = header.find((name, index) => header.indexOf(name) !== index);
  if (twice !== undefined) throw new UserError(`line 1: the column ${twice} is there twice.`);
  if (header.includes('payload') && header.some((name) => name.startsWith('payload.'))) {
    throw new UserError('line 1: give either the column payload (JSON) or columns payload.<field>, not both.');
  }
  return [...header];
}

function csvRecord(line: number, header: readonly string[], record: readonly string[]): SourceRecord {
  if (record.length !== header.length) {
    return { line, ok: false, reason: `${record.length} columns, and the first line names ${header.length}` };
  }
  const fields: Record<string, unknown> = {};
  let payload: Record<string, unknown> | undefined;
  for (const [index, name] of header.entries()) {
    const cell = (record[index] as string).trimEnd();
    if (cell === '') continue;
    if (name === 'payload') {
      try {
        fields['payload'] = JSON.parse(cell);
      } catch (error) {
        return { line, ok: false, reason: `payload: not JSON: ${reasonOf(error)}` };
      }
    } else if (name.startsWith('payload.')) {
      payload ??= {};
      setPath(payload, name.split('.').slice(1), cell);
    } else {
      fields[name] = cell;
    }
  }
  return { line, ok: true, fields: payload === undefined ? fields : { ...fields, payload } };
}

/** `headers.X-Tag` sets `{headers: {'X-Tag': value}}`. */
function setPath(target: Record<string, unknown>, path: readonly string[], value: string): void {
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
