import type { Gauges } from '../gauges';
import { Unavailable } from './errors';
import type { Stream } from './stream';
import type { Placement, Tuple } from './tuple';

/** The partitions that a spout task owns now. */
export interface Assignment {
  /** Partitions of the feed that belong to this task. */
  readonly partitions: readonly number[];
  /** How many partitions the feed has in all. */
  readonly of: number;
}

/**
 * Appends tuples to a stream.
 * @returns the placement of each value, in the order given.
 * @throws Unavailable when the broker did not confirm; some of the tuples may have been appended all the same.
 * PartlyEmitted when it is known of which partitions that is true.
 */
export type Emit = <T>(target: Stream<T>, values: readonly T[]) => Promise<Placement[]>;

/** Where the tuples of one key go, as it was worked out last. */
export interface KeyPlace {
  /** How many partitions the stream had then; 0 before it was asked for. */
  partitions: number;
  partition: number;
}

/**
 * The partition that `emit` would append the value to; undefined while that is not known.
 * @param place of the value's key, if the caller keeps it: it is worked out again only when the stream has other partitions
 */
export type PartitionOf = <T>(target: Stream<T>, value: T, place?: KeyPlace) => number | undefined;

/** Some partitions of a stream did not confirm; the tuples of the others were appended. */
export class PartlyEmitted extends Unavailable {
  /** @param emitted of each value, in the order given: the offset is undefined where the broker did not confirm */
  constructor(
    message: string,
    readonly emitted: readonly { readonly partition: number; readonly offset: number | undefined }[],
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** A source of tuples, fed by a stream of changes. */
export interface Spout<Feed> {
  readonly open: () => Promise<void>;
  /**
   * The task owns exactly these partitions from now on. The feed is positioned before this is called, so every change
   * after the position will come through `feed`. Partitions that were owned before keep their state.
   */
  readonly assigned: (assignment: Assignment) => void;
  /** Takes changes, in order per partition. Returns at once. */
  readonly feed: (changes: readonly Tuple<Feed>[]) => void;
  /** Stops emitting; resolves when nothing is under way. */
  readonly close: () => Promise<void>;
  /** Figures for status and metrics, e.g. `{ 'pending.webhook': 12, cdc_failed: 0 }`. */
  readonly gauges: () => Gauges;
}
