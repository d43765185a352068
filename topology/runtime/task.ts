import type { Gauges } from '../gauges';

/** A component's share of the work in this worker: its assigned partitions. */
export interface Task {
  readonly component: string;
  /** Joins the group. Throws Unavailable; then it may be called again. */
  open(): Promise<void>;
  /** Gives the partitions away and forgets what it holds of them; `open` joins again. Does not throw. */
  leave(): Promise<void>;
  /** Takes nothing new, gives the partitions away and finishes what it has begun; resolves when that is done. */
  stop(): Promise<void>;
  /** Partitions that it owns now. */
  readonly partitions: readonly number[];
  gauges(): Gauges;
}
