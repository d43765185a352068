import type { HeldRow } from '../held-row';
import { isBefore, OrderedRows } from '../slots/ordered-rows';

/** So many rows are taken up before everything else has its turn. */
const MAX_RESUMED_PER_CALL = 2_000;
/** The same of accounts that take turns: about one batch. */
const MAX_ROWS_PER_TURN = 500;

/** Rows that have woken and whose account is paused, until it is resumed and its turn has come. */
export class PausedRows {
  private readonly byAccount = new Map<string, OrderedRows<HeldRow>>();
  private gaveUp = false;

  constructor(private readonly isPaused: (account: string) => boolean) {}

  has(row: HeldRow): boolean {
    return this.byAccount.get(row.account)?.has(row) ?? false;
  }

  /** The row would pass another one of its account that is here. What has its turn comes before all that are left. */
  wouldPass(row: HeldRow): boolean {
    const first = this.byAccount.get(row.account)?.first();
    return first !== undefined && isBefore(first, row);
  }

  add(row: HeldRow): void {
    const rows = this.byAccount.get(row.account) ?? new OrderedRows<HeldRow>();
    if (rows.size === 0) this.byAccount.set(row.account, rows);
    rows.add(row);
  }

  /** @returns whether it was here */
  remove(row: HeldRow): boolean {
    const rows = this.byAccount.get(row.account);
    if (rows?.delete(row) !== true) return false;
    if (rows.size === 0) this.byAccount.delete(row.account);
    return true;
  }

  /**
   * Takes out rows of accounts that are not paused any more: of an account the first ones, so that what is left passes none.
   * Gives up after many rows, because a whole channel may be resumed; the next call continues where this one ended.
   * @param inTurns only some of each account, the first ones; what comes later waits behind those that are left
   */
  takeResumed(inTurns = false): HeldRow[] {
    const resumed: HeldRow[] = [];
    this.gaveUp = false;
    if (inTurns) return this.takeTurns();
    // Asked again and again, so nothing is copied for accounts that stay paused.
    for (const [account, rows] of this.byAccount) {
      if (this.isPaused(account)) continue;
      if (resumed.length > 0 && resumed.length + rows.size > MAX_RESUMED_PER_CALL) {
        this.gaveUp = true;
        break;
      }
      for (const row of rows.takeFirst(MAX_RESUMED_PER_CALL)) resumed.push(row);
      if (rows.size > 0) {
        this.gaveUp = true;
        break;
      }
      this.byAccount.delete(account);
    }
    return resumed;
  }

  private takeTurns(): HeldRow[] {
    const resumed = [...this.byAccount].filter(([account]) => !this.isPaused(account));
    const each = Math.max(1, Math.floor(MAX_ROWS_PER_TURN / Math.max(1, resumed.length)));
    return resumed.slice(0, MAX_ROWS_PER_TURN).flatMap(([account, rows]) => {
      const first = rows.takeFirst(each);
      // Its next turn comes after those of all others.
      this.byAccount.delete(account);
      if (rows.size > 0) this.byAccount.set(account, rows);
      return first;
    });
  }

  /** Says, once, that the last call of `takeResumed` gave up. */
  hasMore(): boolean {
    const { gaveUp } = this;
    this.gaveUp = false;
    return gaveUp;
  }

  /** Takes out the rows of paused accounts that wait since before then. Those of others are about to be taken up. */
  takeSince(since: number): HeldRow[] {
    const old = [...this.byAccount].flatMap(([account, rows]) =>
      this.isPaused(account) ? [...rows.all()].filter((row) => row.since < since) : [],
    );
    for (const row of old) this.remove(row);
    return old;
  }
}
