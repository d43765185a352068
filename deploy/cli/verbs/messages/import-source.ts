import type { Readable } from 'node:stream';
import { UserError } from '../../../../topology/core/errors';
import type { Schemas } from '../../../../topology/payloads/given-channel';
import { csvRecords } from './csv-records';
import { ndjsonRecords } from './ndjson-records';
import type { SourceRecord } from './source-record';
import { utf8Chunks } from './text-encoding';

type SourceFormat = 'csv' | 'ndjson';

/** How a file is written, where that is not to be recognised. */
export interface SourceForm {
  readonly format?: SourceFormat;
  /** A name that TextDecoder knows. */
  readonly encoding?: string;
  /** Of the channels that there are; our own unless given. */
  readonly schemas?: Schemas;
}

/**
 * The records of a CSV or NDJSON stream, one at a time. What cannot be read is a record with a reason; the next ones
 * are read all the same.
 * @throws UserError for a file that is no text, or a wrong header of a CSV file, because then every line would be wrong
 */
export async function* readRecords(input: Readable, form: SourceForm = {}): AsyncGenerator<SourceRecord> {
  const chunks = utf8Chunks(input as AsyncIterable<Buffer>, form.encoding);
  const first = await chunks.next();
  if (first.done === true) return;
  const all = rejoin(first.value, chunks);
  yield* (form.format ?? sniff(first.value)) === 'ndjson' ? ndjsonRecords(all) : csvRecords(all, form.schemas);
}

/** NDJSON begins with `{`; nothing else is looked at. @throws UserError for an array of JSON, which would be read whole */
function sniff(chunk: Buffer): SourceFormat {
  const start = chunk.subarray(0, 1_024).toString().trimStart();
  if (/^\[\s*[{\]]/.test(start)) {
    throw new UserError("The file is an array of JSON. Write one object a line: `jq -c '.[]' file.json`.");
  }
  return start.startsWith('{') ? 'ndjson' : 'csv';
}

async function* rejoin(first: Buffer, rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  yield first;
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
}
