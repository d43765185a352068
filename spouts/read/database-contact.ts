import type { Clock } from '../../topology/core/clock';
import { Unavailable } from '../../topology/core/errors';
import type { OpenRows } from '../open-rows';

/**
 * The rows, and since when the database has been answering. For a while after it was away a lease that has run out says
 * nothing, because its worker could not renew it.
 */
export class DatabaseContact implements OpenRows {
  private away = false;
  /** Monotonic milliseconds. */
  private regainedAt = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly rows: OpenRows,
    private readonly clock: Clock,
  ) {}

  readonly page: OpenRows['page'] = (...query) => this.watch(this.rows.page(...query));
  readonly deadOf: OpenRows['deadOf'] = (...query) => this.watch(this.rows.deadOf(...query));
  readonly recover: OpenRows['recover'] = (...query) => this.watch(this.rows.recover(...query));

  /** Time since the database answered again; 0 while it is away, +Infinity when it never was. */
  steadyForMs(): number {
    return this.away ? 0 : this.clock.monotonic() - this.regainedAt;
  }

  private async watch<T>(answer: Promise<T>): Promise<T> {
    try {
      const value = await answer;
      if (this.away) this.regainedAt = this.clock.monotonic();
      this.away = false;
      return value;
    } catch (error) {
      if (error instanceof Unavailable) this.away = true;
      throw error;
    }
  }
}
