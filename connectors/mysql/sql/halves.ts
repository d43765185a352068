import {
  errnoOf,
  isDataError,
  isDeadlock,
  isExhausted,
  isLockWaitTimeout,
  isTooLarge,
  TooMuchAtOnce,
} from './failures';

/** Rows by themselves, one after another, for which there was no room, before it is taken for one that no row has. */
const MAX_WITHOUT_ROOM = 8;

export interface Halved<Row> {
  readonly written: number;
  readonly refused: readonly { readonly row: Row; readonly error: unknown }[];
}

/**
 * Writes rows in their order. What the database refuses, for its size or because a trigger of an application fails, is halved until it
 * passes, or is one row, which holds no other.
 *
 * 1. *One row that is refused stops no other*, however many of them are refused.
 * 2. *What would refuse every row ends it at once*: a right or a table that is missing, a server that is read-only. An answer that is not
 *    about a value is about rows only if the same statements are taken when they are about none, just before and just after; and space
 *    that no row finds is no matter of rows.
 * @param write writes a part, all of it or nothing, and resolves to how many rows that were, without those that needed nothing
 * @param check runs the statements of `write` about no row. What it throws is thrown
 * @throws what `write` throws for a lock, for space, or without an answer of the server; parts before may be written
 */
export async function writeInHalves<Row>(
  rows: readonly Row[],
  write: (part: readonly Row[]) => Promise<number>,
  check: () => Promise<unknown>,
): Promise<Halved<Row>> {
  const refused: { row: Row; error: unknown }[] = [];
  const parts = rows.length === 0 ? [] : [rows];
  let [written, withoutRoom] = [0, 0];
  /** Nothing has been written since the statements about no row were taken. */
  let isChecked = false;
  for (let part = parts.pop(); part !== undefined; part = parts.pop()) {
    try {
      const count = await write(part);
      written += count;
      // Where nothing was to be written, nothing shows that it could be.
      if (count === 0) continue;
      // It may be different for the next one.
      isChecked = false;
      withoutRoom = 0;
    } catch (error) {
      if (!isAboutRows(error)) throw error;
      if (!isChecked && !isDataError(error)) {
        await check();
        isChecked = true;
      }
      const [row] = part;
      const middle = part.length >> 1;
      if (middle > 0) parts.push(part.slice(middle), part.slice(0, middle));
      else if (row !== undefined) refused.push({ row, error });
      if (middle > 0 || !isAboutRoom(error)) continue;
      if (++withoutRoom === Math.min(MAX_WITHOUT_ROOM, rows.length)) throw error;
    }
  }
  // An outage may have begun after it.
  if (isChecked) await check();
  return { written, refused };
}

function isAboutRows(error: unknown): boolean {
  if (error instanceof TooMuchAtOnce) return true;
  return errnoOf(error) !== undefined && !isLockWaitTimeout(error) && !isDeadlock(error);
}

/** Space of the server, or a size that its replication takes: a single row is hardly too large for it. */
function isAboutRoom(error: unknown): boolean {
  return isExhausted(error) || (isTooLarge(error) && !isDataError(error));
}
