import type { Gauges } from '../gauges';
import type { Tuple } from './tuple';

/** Reports that the bolt is done with a tuple: the group's offset may move past it. Calling it twice is harmless. */
export type Ack = () => void;

/** A tuple and its ack. */
export interface Delivery<T> {
  readonly tuple: Tuple<T>;
  readonly ack: Ack;
}

/**
 * A consumer of tuples. The task feeds it, and commits offsets up to the lowest tuple that is not acked yet.
 *
 * A tuple can come again: after a rebalance the task delivers everything that was not committed once more, with a new ack,
 * and the old ack has no effect. A bolt that still holds such a tuple replaces the ack and keeps the work.
 */
export interface Bolt<In> {
  /** Starts timers and reads what is needed before the first tuple. */
  readonly open: () => Promise<void>;
  /** Takes a batch. Returns at once: long work here would hold up every partition of the broker. */
  readonly execute: (deliveries: readonly Delivery<In>[]) => void;
  /** False while the bolt holds as much as it may; the task then stops fetching until it is true again. */
  readonly hasRoom: () => boolean;
  /**
   * These partitions belong to another task now: the bolt forgets what it only holds and finishes what it has claimed. It may
   * claim first what is due before that task has read it.
   */
  readonly revoked: (partitions: readonly number[]) => void;
  /**
   * Takes nothing new, finishes what it has claimed, and resolves when nothing is in flight.
   * @param onBegun called once nothing that it has claimed waits for room, so that the next owner of its partitions overtakes
   *   nothing; it may be called again
   */
  readonly drain: (onBegun?: () => void) => Promise<void>;
  /** Stops timers. Called after `drain`, or without it when the time for it has run out. */
  readonly close: () => Promise<void>;
  /** Figures for status and metrics, e.g. `{ held: 12, in_flight: 3 }`. */
  readonly gauges: () => Gauges;
}
