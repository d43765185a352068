import type { AccountMemory } from './accounts';
import type { WakePosition } from './position';

/** A row's plan, as an event or a page reports it. */
export interface Plan extends WakePosition {
  readonly shard: number;
  readonly account: string;
  readonly version: number;
}

/** A queue in which entries wait. An entry that left stays in the queue until it is reached; its `home` is another then. */
export interface Home {
  /** One of the queue's entries has got another home or none. The queue may tidy up when there are many of them. */
  left(): void;
}

/** One plan of a row, in memory: it waits in its home, or it is pending, or it is neither and forgotten. */
export class Entry implements WakePosition {
  readonly id: number;
  readonly version: number;
  readonly wakeAt: number;
  readonly shard: number;
  readonly account: AccountMemory;
  /** The queue in which it waits; undefined when it waits in none. */
  home: Home | undefined = undefined;
  /** Emitted and not yet acked. Set before the produce begins. */
  pending = false;
  /** The tuple's offset; -1 while the produce is under way or after a produce that failed. */
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
