import { BadRecord } from './errors';
import { shortJson } from './short-json';

const MAX_SHOWN = 80;

/**
 * What a record of a stream says of the schema that it was written by. Records of workers from before it say nothing: they are of
 * schema 1. A new field gets the next `version`, and is read by older workers without it. Only a record that an older reader
 * would take for something else gets a `least`.
 */
interface RecordSchema {
  /** The schema that it was written by. */
  readonly version: unknown;
  /** The oldest schema by which it may be read; any where it is undefined. */
  readonly least: unknown;
}

/**
 * Sees that a record may be read by somebody who knows the schemas up to `known`.
 * @throws BadRecord when it asks for a newer one. Nothing is lost by it: the row says what is to be sent, and is read again.
 */
export function checkSchema({ version, least }: RecordSchema, known: number): void {
  if (least === undefined) return;
  const needed = shown(least);
  if (/^\d+$/.test(needed) && Number(needed) <= known) return;
  throw new BadRecord(
    `schema ${shown(version)}: it is read from schema ${needed} on, and this worker knows ${known}. ` +
      'Deploy the version that wrote it to the readers of the stream too.',
  );
}

/** Connect writes numbers as text. A number of so many digits is known to nobody. */
function shown(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, MAX_SHOWN) : shortJson(value);
}
