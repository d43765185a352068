import type { Clock } from '../../topology/core/clock';
import { Unavailable } from '../../topology/core/errors';
import type { OpenRows } from '../open-rows';

/** A session that nobody has. */
const NOBODY = '0'.repeat(32);

/**
 * The rows, and since when the database has been answering without a break.
 *
 * 1. *What fails for one channel or row is no break*: after a page that could not be read the registry is asked instead, because
 *    what matters is whether workers can renew their leases there.
 */
export class DatabaseContact implements OpenRows {
  private isAway = false;
  private since: number;

  constructor(
    private readonly rows: OpenRows,
    private readonly clock: Clock,
  ) {
    this.since = clock.monotonic();
  }

  readonly page: OpenRows['page'] = async (...query) => {
    try {
      return await this.rows.page(...query);
    } catch (error) {
      // Not waited for: it may take as long as a time-out.
      void this.leasesOf([NOBODY]).catch(() => undefined);
      throw error;
    }
  };
  readonly leasesOf: OpenRows['leasesOf'] = (...query) => this.watch(this.rows.leasesOf(...query));
  readonly markDead: OpenRows['markDead'] = (...query) => this.watch(this.rows.markDead(...query));
  /** What cannot be recovered says nothing of the database: it may be one row. */
  readonly recover: OpenRows['recover'] = (...query) => this.rows.recover(...query);

  /** When the database answered again after it was away, or when the spout began. Monotonic milliseconds. */
  get steadySince(): number {
    return this.since;
  }

  private async watch<T>(answer: Promise<T>): Promise<T> {
    try {
      const value = await answer;
      if (this.isAway) this.since = this.clock.monotonic();
      this.isAway = false;
      return value;
    } catch (error) {
      if (error instanceof Unavailable) this.isAway = true;
      throw error;
    }
  }
}
