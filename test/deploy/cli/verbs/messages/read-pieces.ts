import { Readable } from 'node:stream';
import { readRecords, type SourceForm } from '../../../../../deploy/cli/verbs/messages/import-source';
import type { SourceRecord } from '../../../../../deploy/cli/verbs/messages/source-record';

/** The records of a file that comes in pieces of so many bytes. */
export async function readPieces(file: string | Buffer, form: SourceForm = {}, size = 5): Promise<SourceRecord[]> {
  const bytes = Buffer.from(file);
  const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
    bytes.subarray(index * size, (index + 1) * size),
  );
  const records: SourceRecord[] = [];
  for await (const record of readRecords(Readable.from(chunks), form)) records.push(record);
  return records;
}
