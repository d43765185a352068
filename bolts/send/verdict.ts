import type { Outcome } from '../../topology/message';
import type { Verdict } from '../slots/line';

/** What an outcome of the channel says about the receiver. Only the channel knows whether it failed to connect. */
export function verdictOf(outcome: Outcome, startedAt: number | null): Verdict {
  if (outcome.kind === 'delivered' || outcome.status !== undefined) return 'answered';
  if (outcome.kind === 'retry' && outcome.unreachable === true) return 'unreachable';
  return startedAt === null || (outcome.kind !== 'unknown' && outcome.kind !== 'retry') ? 'nothing' : 'failed';
}
