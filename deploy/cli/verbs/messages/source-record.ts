/** One record of the file, before its fields are checked. `line` is where it ends, the first line being 1. */
export type SourceRecord =
  | { readonly line: number; readonly ok: true; readonly fields: Readonly<Record<string, unknown>> }
  | { readonly line: number; readonly ok: false; readonly reason: string };

/** A line or record longer than this is bad: without a bound one unclosed quote would read the whole file into memory. */
export const MAX_RECORD_BYTES = 8 * 1024 * 1024;

export const FIELDS: readonly string[] = [
  'account',
  'channel',
  'due_at',
  'dedupe_key',
  'payload',
  'local_time',
  'zone',
  'send_within',
  'on_late',
];
