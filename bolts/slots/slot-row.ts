import type { Lane, Phase, Waiting } from './line';
import type { Resource } from './resources';

/** What the slots need of a row. `Row` is the whole row, which the slots hand back as they were given it. */
export interface SlotRow<Row extends Waiting> extends Waiting {
  readonly lane: Lane<Row>;
  /** Why nothing can be sent: such a row takes no slot of its account or origin. */
  readonly defect: string | undefined;
  /** The queue that it waits in. */
  queue: Phase | undefined;
  /** The pool that it takes a slot from, while it is claimed. */
  claimPool: Resource | undefined;
  /** The pool that it takes a slot from, while its request is under way. */
  pool: Resource | undefined;
}
