import { errnoOf, isDataError, isDeadlock, isLockWaitTimeout } from './failures';

/** Halvings that find nothing to write: by then a single row of a few hundred was tried. */
const MAX_IN_VAIN = 9;

interface Halved<Row> {
  readonly written: number;
  readonly refused: readonly { readonly row: Row; readonly error: unknown }[];
}

/**
 * Writes rows in their order. What the database refuses, for its size or because a trigger of an application fails, is halved until it
 * passes, or is one row, which holds no other.
 * @param write writes a part, all of it or nothing, and resolves to how many rows that were
 * @throws what `write` throws for a lock or without an answer of the server, or when nothing of several rows can be written; parts before
 * may be written
 */
export async function writeInHalves<Row>(
  rows: readonly Row[],
  write: (part: readonly Row[]) => Promise<number>,
): Promise<Halved<Row>> {
  const refused: { row: Row; error: unknown }[] = [];
  const parts = rows.length === 0 ? [] : [rows];
  let first: { readonly error: unknown } | undefined;
  let [written, inVain] = [0, 0];
  for (let part = parts.pop(); part !== undefined; part = parts.pop()) {
    try {
      written += await write(part);
    } catch (error) {
      if (errnoOf(error) === undefined || isLockWaitTimeout(error) || isDeadlock(error)) throw error;
      if (!isDataError(error)) {
        first ??= { error };
        if (written === 0 && ++inVain === MAX_IN_VAIN) throw first.error;
      }
      const [row] = part;
      const middle = part.length >> 1;
      if (middle > 0) parts.push(part.slice(middle), part.slice(0, middle));
      else if (row !== undefined) refused.push({ row, error });
    }
  }
  if (written === 0 && first !== undefined && rows.length > 1) throw first.error;
  return { written, refused };
}
