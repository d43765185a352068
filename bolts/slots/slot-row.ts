import type { Lane, Phase, Waiting } from './line';
import type { SharedSlots } from './resources';

/** What the slots need of a row. `Row` is the whole row, which the slots hand back as they were given it. */
export interface SlotRow<Row extends Waiting> extends Waiting {
  readonly lane: Lane<Row>;
  /** Why nothing can be sent: such a row takes no slot of its account or origin. */
  readonly defect: string | undefined;
  /** The queue that it waits in. */
  queue: Phase | undefined;
  /** It has taken a start of its account, origin and lane: its request is under way, or may begin at its wake. */
  hasStart: boolean;
  /** The pool that the start was taken from. */
  pool: SharedSlots | undefined;
  /** When its request began or, as far as that was looked at, its origin answered another one; monotonic milliseconds, 0 before that. */
  heardAt: number;
  /** Its request has had no answer for long, and takes no slot. */
  isSilent: boolean;
}
