import { escape } from 'mysql2';

/** A literal of this form has no zone, so it is parsed once and is the same in every session. */
const EPOCH = "TIMESTAMP'1970-01-01 00:00:00'";
/**
 * Epoch microseconds by the server's clock at the start of the statement. It is made of UTC, because UNIX_TIMESTAMP(NOW(6)) goes by
 * the local time of the session: in the hour that autumn repeats, two instants have the same, and one of them is taken for the other.
 */
export const NOW_MICROSECONDS = `TIMESTAMPDIFF(MICROSECOND, ${EPOCH}, UTC_TIMESTAMP(6))`;
/** The same in milliseconds. */
export const NOW_MS = `(TIMESTAMPDIFF(MICROSECOND, ${EPOCH}, UTC_TIMESTAMP(3)) DIV 1000)`;

/** An integer as SQL. Statements are written by hand, so every value must pass through a function of this file. */
export function integer(value: number): string {
  if (!Number.isSafeInteger(value)) throw new RangeError(`expected an integer, got ${value}`);
  return String(value);
}

export function text(value: string | null): string {
  return value === null ? 'NULL' : escape(value);
}

/** Bytes given as hex digits. */
export function hex(value: string): string {
  if (value.length % 2 !== 0 || !/^[0-9a-f]+$/.test(value)) throw new RangeError('expected hex digits');
  return `x'${value}'`;
}

/** `(1,2,3)`. @throws RangeError for an empty list, which SQL does not know */
export function list<T>(values: readonly T[], literal: (value: T) => string): string {
  if (values.length === 0) throw new RangeError('expected at least one value');
  return `(${values.map(literal).join(',')})`;
}
