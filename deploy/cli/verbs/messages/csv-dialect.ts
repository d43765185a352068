import { FIELDS } from './source-record';

/** Until the first line with a name in it has ended. A header is much shorter. */
const MAX_HEAD_BYTES = 256 * 1024;
const DELIMITERS = [',', ';', '\t', '|'];

/** How a CSV file is written, and the file from its header on. */
export interface CsvDialect {
  readonly delimiter: string;
  /** Lines that were taken away from the beginning. */
  readonly skippedLines: number;
  readonly chunks: AsyncIterable<Buffer>;
}

/**
 * Finds out what separates the columns, because Excel writes the list separator of its country. A line `sep=;`, which Excel
 * reads and writes at the beginning, is taken away, and believed unless it is wrong because another program has saved the file
 * since (`sep=;,,,`): the separator is the one that makes most names of known columns out of the first line.
 */
export async function dialectOf(chunks: AsyncIterable<Buffer>): Promise<CsvDialect> {
  const source = chunks[Symbol.asyncIterator]();
  let head = Buffer.alloc(0);
  let header: string | undefined;
  let over = false;
  while (!over && header === undefined && head.length < MAX_HEAD_BYTES) {
    const next = await source.next();
    over = next.done === true;
    if (next.done !== true) head = Buffer.concat([head, next.value]);
    header = headerIn(head.toString('latin1'), over);
  }
  const said = /^[\t ]*"?sep=([^\r\n])"?[,;|\t ]*(?:\r\n|\n|\r|$)/i.exec(head.toString('latin1'));
  const delimiters = said?.[1] === undefined ? DELIMITERS : [said[1], ...DELIMITERS];
  return {
    delimiter: mostNames(header ?? '', delimiters),
    skippedLines: said === null ? 0 : 1,
    chunks: joined(head.subarray(said?.[0].length ?? 0), source),
  };
}

/** The first line that has a name in it, once it has ended. */
function headerIn(text: string, over: boolean): string | undefined {
  const lines = text.split(/\r\n|\n|\r/);
  const ended = over ? lines : lines.slice(0, -1);
  return ended.find((line) => /[a-z]/i.test(line) && !/^[\t ]*"?sep=/i.test(line));
}

/** The first of those that make as many names. */
function mostNames(header: string, delimiters: readonly string[]): string {
  const names = (delimiter: string) =>
    header
      .split(delimiter)
      .map((cell) => cell.replaceAll('"', '').trim())
      .filter((name) => FIELDS.includes(name) || name.startsWith('payload.')).length;
  return delimiters.toSorted((a, b) => names(b) - names(a))[0] as string;
}

async function* joined(head: Buffer, rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  if (head.length > 0) yield head;
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
}
