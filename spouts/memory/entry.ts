import type { AccountMemory } from './accounts';

/** A place in the order of sending: by wake, then by id. */
export interface WakePosition {
  /** Epoch milliseconds. */
  readonly wakeAt: number;
  readonly id: number;
}

/** A row's plan, as an event or a page tells it. */
export interface Plan extends WakePosition {
  readonly shard: number;
  readonly account: string;
  readonly version: number;
}

/** A queue that entries wait in. An entry that left it is found out when it is reached: its `home` is another one. */
export interface Home {
  /** One of its entries has left: has no home any more. The queue may tidy up when there are many. */
  left(): void;
}

/** One plan of a row, in memory: it waits in its home, or it is pending, or it is neither and forgotten. */
export class Entry implements WakePosition {
  readonly id: number;
  readonly version: number;
  readonly wakeAt: number;
  readonly shard: number;
  readonly account: AccountMemory;
  /** Where it waits; undefined when it does not. */
  home: Home | undefined = undefined;
  /** Emitted, from before the produce, and not yet acked. */
  pending = false;
  /** The tuple's offset; -1 while the produce is under way or after one that failed. */
  offset = -1;
  /** How many readings of the acks had begun when the offset became known. */
  placedAfter = 0;
  /** Another plan of the same row whose tuple is still pending. */
  other: Entry | undefined = undefined;

  constructor(plan: Plan, account: AccountMemory) {
    this.id = plan.id;
    this.version = plan.version;
    this.wakeAt = plan.wakeAt;
    this.shard = plan.shard;
    this.account = account;
  }
}

export function isBefore(a: WakePosition, b: WakePosition): boolean {
  return a.wakeAt < b.wakeAt || (a.wakeAt === b.wakeAt && a.id < b.id);
}

/** For sorting. */
export function byPosition(a: WakePosition, b: WakePosition): number {
  return a.wakeAt - b.wakeAt || a.id - b.id;
}
