import type { HeldRow } from '../held-row';
import { checkKept, type IdKeeper, type IdKeeping, type KeptIds } from '../kept-ids';
import type { SendRows } from '../send-rows';

type KeptRows = Pick<SendRows, 'kept' | 'keep'>;

/**
 * Ids of channels that keep some between attempts, for the rows that a session sends.
 *
 * 1. *What is published is what was kept*: ids are in the table before the request that can become visible.
 * 2. *Ids are given to the content for which they were made*: an edit that forgot the plan number finds none.
 */
export class IdKeepings {
  /** Rows of which the table may have ids. */
  private readonly rowsWithIds = new WeakSet<HeldRow>();

  constructor(
    private readonly rows: KeptRows,
    private readonly session: string,
  ) {}

  /** For a lookup: whatever was kept under the plan number, because an earlier request may have had it. */
  ofDoubt(row: HeldRow): IdKeeper {
    return { read: () => this.read(row, () => true) };
  }

  ofAttempt(row: HeldRow): IdKeeping {
    return {
      read: () => this.read(row, (contentHash) => contentHash === row.contentHash),
      keep: async (ids) => {
        checkKept(ids);
        this.rowsWithIds.add(row);
        return this.rows.keep(this.session, row, { ids, contentHash: row.contentHash });
      },
    };
  }

  /** Whether ids of the row go when it ends. */
  has(row: HeldRow): boolean {
    return this.rowsWithIds.has(row);
  }

  private async read(row: HeldRow, isWanted: (contentHash: string) => boolean): Promise<KeptIds | undefined> {
    const kept = await this.rows.kept(row.id, row.planNumber);
    if (kept === undefined) return undefined;
    this.rowsWithIds.add(row);
    return isWanted(kept.contentHash) ? kept.ids : undefined;
  }
}
