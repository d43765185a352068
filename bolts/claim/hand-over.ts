import type { HeldRow } from '../held-row';

export interface HandOverBounds {
  /** These rows of one account can begin at their wake, whatever else of it is claimed. */
  readonly mayBegin: (account: string, rows: readonly HeldRow[]) => boolean;
  readonly maxRows: number;
  readonly maxBytes: number;
  /** Requests that can begin at one time. */
  readonly room: number;
}

/** Of rows that wake further apart the first have mostly ended when the next begin. */
const MOMENT_MS = 250;

/**
 * What a task claims of the rows that another one takes over from it. Of each account all or nothing: what is left of an
 * account the other task starts beside it. Nothing at all of a crowd, which the two would start side by side.
 */
export function accountsToHandOver(rows: readonly HeldRow[], bounds: HandOverBounds): readonly HeldRow[] {
  const byAccount = new Map<string, HeldRow[]>();
  for (const row of rows) {
    const ofAccount = byAccount.get(row.account);
    if (ofAccount === undefined) byAccount.set(row.account, [row]);
    else ofAccount.push(row);
  }
  const taken = [...byAccount].flatMap(([account, some]) => (bounds.mayBegin(account, some) ? some : []));
  const bytes = taken.reduce((sum, row) => sum + row.bytes, 0);
  return taken.length > bounds.maxRows || bytes > bounds.maxBytes || isCrowd(taken, bounds.room) ? [] : taken;
}

/** More than `room` of them wake within one moment. */
function isCrowd(rows: readonly HeldRow[], room: number): boolean {
  const byMoment = new Map<number, number>();
  for (const { at } of rows) {
    const moment = Math.floor(at / MOMENT_MS);
    const count = (byMoment.get(moment) ?? 0) + 1;
    if (count > room) return true;
    byMoment.set(moment, count);
  }
  return false;
}
