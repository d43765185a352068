import type { Clock } from '../../topology/core/clock';

const RETRY_AFTER_MS = 60_000;
/** Rows that are remembered; beyond them the earliest are tried again sooner. */
const MAX_ROWS = 1_000;

/** Rows that the database refused to write. They are tried again later, because a person may have changed them. */
export class RefusedRows {
  /** When the row may be tried again, monotonic milliseconds, by id; in that order. */
  private readonly retryAt = new Map<number, number>();

  constructor(private readonly clock: Clock) {}

  add(id: number): void {
    this.retryAt.delete(id);
    this.retryAt.set(id, this.clock.monotonic() + RETRY_AFTER_MS);
    const [earliest] = this.retryAt.keys();
    if (this.retryAt.size > MAX_ROWS && earliest !== undefined) this.retryAt.delete(earliest);
  }

  /** True while the row is not to be tried. */
  waits(id: number): boolean {
    const retryAt = this.retryAt.get(id);
    if (retryAt === undefined) return false;
    if (this.clock.monotonic() < retryAt) return true;
    this.retryAt.delete(id);
    return false;
  }
}
