/** When a failed attempt is tried again. All times are milliseconds. */
export interface RetryPolicy {
  /** Attempts of one plan before it ends `failed` (or `uncertain`, when one may have been accepted). */
  readonly maxAttempts: number;
  /** Upper bound of the first delay; it doubles with each attempt. */
  readonly base: number;
  /** Upper bound of any delay, and of what a provider's Retry-After may ask for. */
  readonly cap: number;
}

/**
 * Exponential back-off with equal jitter: half of the doubled base is kept, the other half is drawn, so that rows that
 * failed together do not come back together (AWS Architecture Blog, "Exponential Backoff And Jitter").
 *
 * @param attempts attempts made so far, at least 1
 * @param random in [0, 1)
 * @returns milliseconds to wait
 */
export function backOff(policy: RetryPolicy, attempts: number, random: number): number {
  const ceiling = Math.min(policy.cap, policy.base * 2 ** (attempts - 1));
  return Math.round(ceiling / 2 + (ceiling / 2) * random);
}
