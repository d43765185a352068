import { BadRecord, reasonOf } from '../core/errors';
import type { Stream } from '../core/stream';
import type { Tuple } from '../core/tuple';
import type { LogRecord } from './streams-client';

/** A record that was skipped. */
export interface SkippedRecord {
  readonly stream: string;
  readonly partition: number;
  readonly offset: number;
  readonly reason: string;
}

/** The record as a tuple; a bad one is reported and gives undefined. */
export function decode<T>(
  stream: Stream<T>,
  partition: number,
  record: LogRecord,
  onSkip: (skipped: SkippedRecord) => void,
): Tuple<T> | undefined {
  const { offset, timestamp } = record;
  try {
    if (record.unreadable !== undefined) throw new BadRecord(record.unreadable);
    if (record.value === null) throw new BadRecord('no content');
    return { stream: stream.name, partition, offset, timestamp, value: stream.codec.decode(record.value) };
  } catch (error) {
    if (!(error instanceof BadRecord)) throw error;
    onSkip({ stream: stream.name, partition, offset, reason: reasonOf(error) });
    return undefined;
  }
}
