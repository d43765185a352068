import { checkMessage, type NewMessage } from '../../../../connectors/mysql/client/input';
import type { ScheduleAnswer } from '../../../../connectors/mysql/client/schedule';
import { writeInHalves } from '../../../../connectors/mysql/sql/halves';
import { reasonOf, UserError } from '../../../../topology/core/errors';
import type { Schemas } from '../../../../topology/payloads/given-channel';
import { refusalOf } from './schedule-answers';
import type { SourceRecord } from './source-record';

const BATCH_ROWS = 1_000;
/** Of payloads, as JSON. A batch is one transaction, and a replication group refuses those of more than 150 MB. */
const BATCH_BYTES = 32 * 1024 * 1024;

/** Counts of lines so far. */
export interface ImportCounts {
  read: number;
  /** New messages, and those that were planned again. */
  scheduled: number;
  /** Scheduled before under the same dedupe key, with the same content. */
  already: number;
  bad: number;
  /** Every line up to here is in the table or was reported. */
  doneUpTo: number;
}

export interface ImportOptions {
  /** Of the channels that there are; our own unless given. */
  readonly schemas?: Schemas;
  /** Answers in the order of the messages. Null: only check. */
  readonly write: ((messages: readonly NewMessage[]) => Promise<readonly ScheduleAnswer[]>) | null;
  /** Throws where the database would take no message, whatever it is. */
  readonly check: () => Promise<void>;
  readonly onBad: (line: number, reason: string) => void;
  /** Called after every batch. */
  readonly onProgress: (counts: Readonly<ImportCounts>) => void;
  readonly signal: AbortSignal;
}

/**
 * Schedules what a source yields, in batches, one of them on its way while the next is read; so memory does not grow with
 * the file. A bad line is reported, and the lines after it are read; so is one that the database refuses, as a trigger may. An outage
 * ends the import, and makes no line bad.
 * @throws what `write` throws; what was written stays, and the last call of `onProgress` says how far that is
 */
export async function runImport(records: AsyncIterable<SourceRecord>, options: ImportOptions): Promise<ImportCounts> {
  const counts: ImportCounts = { read: 0, scheduled: 0, already: 0, bad: 0, doneUpTo: 0 };
  const bad = (line: number, reason: string) => {
    counts.bad += 1;
    options.onBad(line, reason);
  };
  let batch: { line: number; message: NewMessage }[] = [];
  let batchBytes = 0;
  let lastLine = 0;
  let writing: Promise<void> = Promise.resolve();
  const flush = async () => {
    const [full, upTo] = [batch, lastLine];
    batch = [];
    batchBytes = 0;
    await writing;
    writing = writeBatch(full, options, counts, bad).then(() => {
      counts.doneUpTo = upTo;
      options.onProgress(counts);
    });
    // It is awaited before the next one; until then its failure has no other listener.
    writing.catch(() => undefined);
  };

  try {
    for await (const record of records) {
      if (options.signal.aborted) break;
      counts.read += 1;
      lastLine = Math.max(lastLine, record.line);
      if (!record.ok) bad(record.line, record.reason);
      else {
        const checked = checkLine(record.fields, options.schemas);
        if (typeof checked === 'string') bad(record.line, checked);
        else {
          batch.push({ line: record.line, message: checked.message });
          batchBytes += checked.bytes;
        }
      }
      if (batch.length === BATCH_ROWS || batchBytes >= BATCH_BYTES) await flush();
    }
  } catch (error) {
    // An interrupt ends a source that waits for more.
    if (!options.signal.aborted) throw error;
  }
  await flush();
  await writing;
  return counts;
}

async function writeBatch(
  batch: readonly { line: number; message: NewMessage }[],
  { write, check }: ImportOptions,
  counts: ImportCounts,
  bad: (line: number, reason: string) => void,
): Promise<void> {
  if (batch.length === 0 || write === null) return;
  const one = async (part: typeof batch) => count(part, await write(part.map(({ message }) => message)), counts, bad);
  // Messages that are there already may be larger than those that replace them, so a batch may be too large all the same.
  const { refused } = await writeInHalves(batch, one, check);
  for (const { row, error } of refused) bad(row.line, reasonOf(error));
}

/** @returns how many were written: those that were there already show nothing of the others */
function count(
  batch: readonly { line: number }[],
  answers: readonly ScheduleAnswer[],
  counts: ImportCounts,
  bad: (line: number, reason: string) => void,
): number {
  const before = counts.scheduled;
  for (const [index, answer] of answers.entries()) {
    const { line } = batch[index] as { line: number };
    const refusal =
      answer.result === 'conflict' ? `dedupe_key: message ${answer.id} has it, with other content` : refusalOf(answer);
    if (refusal !== undefined) bad(line, refusal);
    else if (answer.result === 'replaced' || (answer.result === 'scheduled' && answer.created)) counts.scheduled += 1;
    else counts.already += 1;
  }
  return counts.scheduled - before;
}

/** @returns the message and the bytes of its payload, or what is wrong with it */
function checkLine(
  fields: Readonly<Record<string, unknown>>,
  schemas: Schemas | undefined,
): { readonly message: NewMessage; readonly bytes: number } | string {
  const { due_at: dueAt, dedupe_key: dedupeKey, local_time: localTime, ...others } = fields;
  const { send_within: sendWithin, on_late: onLate, ...rest } = others;
  const message = { ...rest, dueAt, dedupeKey, localTime, sendWithin, onLate } as unknown as NewMessage;
  try {
    return { message, bytes: Buffer.byteLength(checkMessage(message, schemas).payload) };
  } catch (error) {
    if (error instanceof UserError) return reasonOf(error);
    throw error;
  }
}
