/** The pace at which something that failed is tried again. */
export interface BackOff {
  /** Upper bound of the first delay; it doubles with each attempt. */
  readonly baseMs: number;
  /** Upper bound of any delay. */
  readonly capMs: number;
}

/** More would make Infinity of the ceiling, and nothing of a base of 0. */
const MAX_DOUBLINGS = 52;

/** When a failed attempt is tried again, and when the plan is given up. */
export interface RetryPolicy extends BackOff {
  /** A plan whose first request began so long ago ends `failed`, or `uncertain` when an attempt may have been accepted. */
  readonly giveUpAfterMs: number;
}

/**
 * Exponential back-off with equal jitter: half of the doubled base is kept, the other half is drawn, so that rows that
 * failed together do not come back together (AWS Architecture Blog, "Exponential Backoff And Jitter").
 *
 * @param attempts attempts made so far, at least 1
 * @param random in [0, 1)
 * @returns milliseconds to wait
 */
export function backOff({ baseMs, capMs }: BackOff, attempts: number, random: number): number {
  const ceilingMs = Math.min(capMs, baseMs * 2 ** Math.min(attempts - 1, MAX_DOUBLINGS));
  return Math.round(ceilingMs / 2 + (ceilingMs / 2) * random);
}
