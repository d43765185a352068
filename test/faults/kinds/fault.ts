import type { Random } from '../../support/random';
import type { Arena } from '../world/arena';

/** Something that goes wrong during load, and ends. */
export interface Fault {
  readonly name: string;
  /** Part of `npm test`. */
  readonly short: boolean;
  /** Messages per second of the load beside it. */
  readonly rate?: number;
  /**
   * How late the last message may be, milliseconds, on a machine that has much else to do: what waits for a person, or for
   * another fault, is later. `npm run recovery` measures how late it is.
   */
  readonly lateness: number;
  /** Does it, waits as long as it is to last, and ends it. What must hold beside the invariants is thrown. */
  readonly run: (arena: Arena, random: Random) => Promise<void>;
}
