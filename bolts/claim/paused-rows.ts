import type { HeldRow } from '../held-row';

/** Rows that have woken and whose account is paused, until it is resumed. */
export class PausedRows {
  private readonly byAccount = new Map<string, Set<HeldRow>>();

  has(row: HeldRow): boolean {
    return this.byAccount.get(row.account)?.has(row) ?? false;
  }

  add(row: HeldRow): void {
    const rows = this.byAccount.get(row.account);
    if (rows === undefined) this.byAccount.set(row.account, new Set([row]));
    else rows.add(row);
  }

  /** @returns whether it was here */
  remove(row: HeldRow): boolean {
    const rows = this.byAccount.get(row.account);
    if (rows?.delete(row) !== true) return false;
    if (rows.size === 0) this.byAccount.delete(row.account);
    return true;
  }

  /** Takes out the rows of all accounts that are not paused any more. */
  takeResumed(isPaused: (account: string) => boolean): HeldRow[] {
    const resumed: HeldRow[] = [];
    // Asked at each claim, so nothing is copied for accounts that stay paused.
    for (const [account, rows] of this.byAccount) {
      if (isPaused(account)) continue;
      this.byAccount.delete(account);
      for (const row of rows) resumed.push(row);
    }
    return resumed;
  }

  /** Takes out the rows that wait since before then. */
  takeSince(since: number): HeldRow[] {
    const old = [...this.byAccount.values()].flatMap((rows) => [...rows].filter((row) => row.since < since));
    for (const row of old) this.remove(row);
    return old;
  }
}
