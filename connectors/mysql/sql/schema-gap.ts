import type { Clock } from '../../../topology/core/clock';
import { reasonOf, Unavailable } from '../../../topology/core/errors';
import { isSchemaError } from './failures';

/** Longer than an exchange of tables or a deploy that migrates takes. */
const GAP_MS = 30_000;
/** Errors further apart belong to different gaps. */
const APART_MS = 60_000;

/**
 * Tells a table that is missing for a moment, while somebody exchanges it for another, from a schema that is not there. To
 * connections that have worked before a missing table or column is Unavailable for half a minute; after that, and at the
 * beginning, it is the mistake of whoever runs Downspout.
 */
export class SchemaGap {
  private hasWorked = false;
  private beganAt = 0;
  private lastAt = Number.NEGATIVE_INFINITY;

  constructor(private readonly clock: Pick<Clock, 'monotonic'>) {}

  succeeded(): void {
    this.hasWorked = true;
  }

  /** Whether the schema was seen to be the one that is needed. */
  get worked(): boolean {
    return this.hasWorked;
  }

  /** The error, or Unavailable in its place. */
  instructionOf(error: unknown): unknown {
    if (!this.worked || !isSchemaError(error)) return error;
    const now = this.clock.monotonic();
    if (now - this.lastAt > APART_MS) this.beganAt = now;
    this.lastAt = now;
    if (now - this.beganAt > GAP_MS) return error;
    return new Unavailable(`a table is missing or incomplete for now: ${reasonOf(error)}`, { cause: error });
  }
}
