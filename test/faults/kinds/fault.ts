import type { Random } from '../../support/random';
import type { Arena } from '../world/arena';

/** Something that goes wrong under load, and ends. */
export interface Fault {
  readonly name: string;
  /** Part of `npm test`. */
  readonly short: boolean;
  /** Messages per second of the load beside it. */
  readonly rate?: number;
  /**
   * How late the latest message may be on a machine that is busy with other things. `npm run recovery` measures how late
   * messages are on a quiet one.
   */
  readonly mostLateMs: number;
  /** How late all but one in twenty may be; not judged unless given. */
  readonly p95LateMs?: number;
  /** Makes the fault, lets it last, and ends it. Throws when something does not hold that is no invariant. */
  readonly run: (arena: Arena, random: Random) => Promise<void>;
}
