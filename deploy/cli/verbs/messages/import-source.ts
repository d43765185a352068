import type { Readable } from 'node:stream';
import { csvRecords } from './csv-records';
import { ndjsonRecords } from './ndjson-records';
import type { SourceRecord } from './source-record';

export type SourceFormat = 'csv' | 'ndjson';

/**
 * The records of a CSV or NDJSON stream, one at a time. What cannot be read is a record with a reason; the next ones
 * are read all the same.
 * @throws UserError when the header of a CSV file is wrong, because then every line would be
 */
export async function* readRecords(input: Readable, format: SourceFormat | undefined): AsyncGenerator<SourceRecord> {
  const chunks = input[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  const first = await chunks.next();
  if (first.done === true) return;
  const all = rejoin(first.value, chunks);
  yield* (format ?? sniff(first.value)) === 'ndjson' ? ndjsonRecords(all) : csvRecords(all);
}

/** NDJSON begins with `{`; nothing else is looked at. */
function sniff(chunk: Buffer): SourceFormat {
  return /^\ufeff?\s*\{/.test(chunk.subarray(0, 1_024).toString()) ? 'ndjson' : 'csv';
}

async function* rejoin(first: Buffer, rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  yield first;
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
}
