import type { Clock } from '../../topology/core/clock';
import { Unavailable } from '../../topology/core/errors';
import type { OpenRows } from '../open-rows';

/** The rows, and since when the database has been answering without a break. */
export class DatabaseContact implements OpenRows {
  private isAway = false;
  private since: number;

  constructor(
    private readonly rows: OpenRows,
    private readonly clock: Clock,
  ) {
    this.since = clock.monotonic();
  }

  readonly page: OpenRows['page'] = (...query) => this.watch(this.rows.page(...query));
  readonly leasesOf: OpenRows['leasesOf'] = (...query) => this.watch(this.rows.leasesOf(...query));
  readonly markDead: OpenRows['markDead'] = (...query) => this.watch(this.rows.markDead(...query));
  readonly recover: OpenRows['recover'] = (...query) => this.watch(this.rows.recover(...query));

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
