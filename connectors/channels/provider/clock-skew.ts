import type { Reply } from '../http/reply';

/** A server that does not say what time it has may be wrong by so much. */
const MAX_SKEW_MS = 300_000;
/** `Date` has whole seconds. */
const DATE_STEP_MS = 1_000;

/**
 * How far ahead of the server's clock ours may be at most, milliseconds.
 * @param now epoch milliseconds, ours
 */
export function skewOf(reply: Reply, now: number): number {
  const theirs = Date.parse(reply.header('date') ?? '');
  return Number.isNaN(theirs) ? MAX_SKEW_MS : now - theirs + DATE_STEP_MS;
}
