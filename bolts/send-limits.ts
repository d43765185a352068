import type { Unavailable } from '../topology/core/errors';
import type { Allowed, Limits, Unmade, Want } from '../topology/core/limits';

export interface TakenLimits extends Pick<Allowed, 'allowed' | 'opensAt'> {
  /** When that was allowed, by the database's clock; undefined where nothing was counted. */
  readonly at: number | undefined;
  /** Why nothing was counted, said now and then: the table is missing, or may not be written. Then everything is allowed. */
  readonly uncounted?: Unavailable;
}

/** What accounts have used of their limits, for all workers. Every call throws Unavailable when the database does not answer. */
export interface SendLimits {
  /**
   * Allows as many requests as the limits let begin now, and counts them as used, in one transaction. Whoever may begin no more is gated:
   * spouts emit nothing of it until it may. A request that is allowed and never made stays counted until it is given back.
   * An account that another worker is counting in this moment is refused for a moment, so that nobody else waits for it.
   * @param wants in the order of their turns, each account once
   */
  take(limits: Limits, wants: readonly Want[]): Promise<TakenLimits>;

  /**
   * Requests that were allowed were not made, so they are not counted any more, and whoever had to wait because of them is not gated.
   * Not to be repeated after a lost answer: what is given back twice would be exceeded.
   */
  giveBack(limits: Limits, unmade: readonly Unmade[]): Promise<void>;

  /**
   * The provider takes nothing of the account for so long: it is held, for every worker, unless it is for longer already.
   * @param account empty for all accounts of the channel
   */
  hold(account: string, ms: number): Promise<void>;
}
