import { parse } from 'csv-parse';
import type { Schemas } from '../../../../topology/payloads/given-channel';
import { checkHeader, isBlank, recordOf } from './csv-cells';
import { dialectOf } from './csv-dialect';
import { CsvQuotes } from './csv-quotes';
import { MAX_RECORD_BYTES, type SourceRecord } from './source-record';

const BACKSLASHED = 'quotes are written as \\"; CSV doubles them: ""';
const CUT =
  'the file ends within this row: it has too few columns, and no line end. If nothing is missing, put a line end after it';

interface CsvItem {
  readonly info: { readonly lines: number };
  readonly record: readonly string[];
}

/**
 * The rows of a CSV file in UTF-8, as the spreadsheets of any country write it. Rows and columns that are empty are left out.
 * Empty cells at the end of a row may be missing, because Excel looks at a few rows only to see how long it makes them.
 * @param schemas of the channels that there are; our own unless given
 * @throws UserError when the header is wrong
 */
export async function* csvRecords(file: AsyncIterable<Buffer>, schemas?: Schemas): AsyncGenerator<SourceRecord> {
  let unreadable: string | undefined;
  const { delimiter, skippedLines, chunks } = await dialectOf(file);
  const parser = parse({
    delimiter,
    info: true,
    record_delimiter: ['\r\n', '\n', '\r'],
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
  const quotes = new CsvQuotes(delimiter);
  const feeding = feed(quotes.tidy(chunks), parser);
  let header: string[] | undefined;
  let line = 0;
  /** A row with fewer cells than names: it may be what is left of a longer one. */
  let short: (SourceRecord & { readonly ok: true }) | undefined;
  try {
    for await (const { info, record } of parser as AsyncIterable<CsvItem>) {
      line = info.lines + skippedLines;
      if (short !== undefined) yield short;
      short = undefined;
      const isBackslashed = quotes.hasBackslashes(line - skippedLines);
      if (isBlank(record)) continue;
      if (header === undefined) {
        header = checkHeader(line, record);
        continue;
      }
      const row: SourceRecord = isBackslashed
        ? { line, ok: false, reason: BACKSLASHED }
        : recordOf(line, header, record, schemas);
      if (row.ok && record.length < header.length) short = row;
      else yield row;
    }
    // What could not be read is the last one otherwise.
    const isCut = quotes.isCut && unreadable === undefined;
    if (short !== undefined) yield isCut ? { line: short.line, ok: false, reason: CUT } : short;
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
