import { errnoOf, isDataError, isDeadlock, isLockWaitTimeout, TooMuchAtOnce } from './failures';

/** Refused parts one after another: by then a single row of a few hundred was tried, the first one. */
const MAX_IN_VAIN = 9;
/** Rows that are tried by themselves after that, wherever they are: the first ones may be the only ones that are refused. */
const MAX_PROBES = 8;

export interface Halved<Row> {
  readonly written: number;
  readonly refused: readonly { readonly row: Row; readonly error: unknown }[];
  /** Nothing of several rows could be written, and not all were tried: it is not known whether this is about them. */
  readonly inVain?: { readonly error: unknown };
}

export interface HalvesOptions {
  /** Other rows were written just before, so that an answer is about these. */
  readonly isProved?: boolean;
  /** In [0, 1): which rows are tried by themselves. */
  readonly random?: () => number;
}

/**
 * Writes rows in their order. What the database refuses, for its size or because a trigger of an application fails, is halved until it
 * passes, or is one row, which holds no other.
 * @param write writes a part, all of it or nothing, and resolves to how many rows that were
 * @throws what `write` throws for a lock or without an answer of the server; parts before may be written
 */
export async function writeInHalves<Row>(
  rows: readonly Row[],
  write: (part: readonly Row[]) => Promise<number>,
  { isProved = false, random = Math.random }: HalvesOptions = {},
): Promise<Halved<Row>> {
  const refused: { row: Row; error: unknown }[] = [];
  const parts = rows.length === 0 ? [] : [rows];
  /** Rows that were tried by themselves before their turn, and that need not be tried again. */
  const probed = new Set<Row>();
  let first: { readonly error: unknown } | undefined;
  let [written, inVain, hasPassed] = [0, 0, isProved];
  for (let part = parts.pop(); part !== undefined; part = parts.pop()) {
    if (probed.size > 0) part = part.filter((row) => !probed.has(row));
    if (part.length === 0) continue;
    try {
      written += await write(part);
      hasPassed = true;
      inVain = 0;
    } catch (error) {
      if (!isAboutRows(error)) throw error;
      const [row] = part;
      const middle = part.length >> 1;
      if (middle > 0) parts.push(part.slice(middle), part.slice(0, middle));
      else if (row !== undefined) refused.push({ row, error });
      if (isDataError(error)) continue;
      first ??= { error };
      if (isProved || written > 0 || ++inVain !== MAX_IN_VAIN) continue;
      const left = parts.flat();
      for (let probes = 0; written === 0 && probes < MAX_PROBES && left.length > 0; probes++) {
        const [probe] = left.splice(Math.floor(random() * left.length), 1) as [Row];
        const count = await write([probe]).catch((failure) => {
          if (!isAboutRows(failure)) throw failure;
        });
        if (count === undefined) continue;
        probed.add(probe);
        written += count;
        hasPassed = true;
      }
      if (written === 0) return { written, refused: [], inVain: first };
    }
  }
  if (!hasPassed && first !== undefined && rows.length > 1) return { written, refused: [], inVain: first };
  return { written, refused };
}

function isAboutRows(error: unknown): boolean {
  if (error instanceof TooMuchAtOnce) return true;
  return errnoOf(error) !== undefined && !isLockWaitTimeout(error) && !isDeadlock(error);
}
