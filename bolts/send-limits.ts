import type { Allowed, Limits, Want } from '../topology/core/limits';

export type TakenLimits = Pick<Allowed, 'allowed' | 'opensAt'>;

/** What accounts have used of their limits, for all workers. Every call throws Unavailable when the database does not answer. */
export interface SendLimits {
  /**
   * Allows as many requests as the limits let begin now, and counts them as used, in one transaction. Whoever may begin no more is gated:
   * spouts emit nothing of it until it may. A request that is allowed and never made stays counted.
   * @param wants in the order of their turns, each account once
   */
  take(limits: Limits, wants: readonly Want[]): Promise<TakenLimits>;

  /**
   * The provider takes nothing of the account for so long: it is held, for every worker, unless it is for longer already.
   * @param account empty for all accounts of the channel
   */
  hold(account: string, ms: number): Promise<void>;
}
