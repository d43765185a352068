import { escape } from 'mysql2';

/** Epoch milliseconds by the server's clock at the start of the statement. */
export const NOW_MS = 'CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)';

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
