import type { Gauges } from '../gauges';
import type { Ending } from './ending';

/** A component's share of the work in this worker: its assigned partitions. */
export interface Task {
  readonly component: string;
  /** Joins the group. Throws Unavailable; then it may be called again. */
  open(): Promise<void>;
  /**
   * Gives the partitions away and forgets what it holds of them; `open` joins again. Does not throw, and waits for Kafka for some
   * seconds at most.
   */
  leave(): Promise<void>;
  /**
   * Takes nothing new, gives the partitions away and finishes what it has begun. Does not throw.
   * @param ending takes the steps of it
   * @returns whether nothing is left that it has claimed
   */
  stop(ending: Ending): Promise<boolean>;
  /** Partitions that it owns now. */
  readonly partitions: readonly number[];
  gauges(): Gauges;
}
