import type { Outcome } from '../../topology/message';
import type { LookupAnswer } from '../channel';
import type { Verdict } from '../slots/line';

/** What an outcome of the channel says about the receiver. Only the channel knows whether it failed to connect. */
export function verdictOf(outcome: Outcome, startedAt: number | null): Verdict {
  if (outcome.kind === 'delivered' || outcome.status !== undefined) return 'answered';
  if (outcome.kind === 'retry' && outcome.unreachable === true) return 'unreachable';
  return startedAt === null || (outcome.kind !== 'unknown' && outcome.kind !== 'retry') ? 'nothing' : 'failed';
}

/** What a lookup means for its row. `absent` is not certain here. */
export function lookedUp(answer: LookupAnswer | undefined): Outcome {
  if (answer === undefined || answer.kind === 'absent') return { kind: 'retry', reason: 'looked up: nothing yet' };
  if (answer.kind === 'accepted') return { ...answer, kind: 'delivered' };
  if (answer.kind === 'unknown') return { ...answer, kind: 'retry', reason: `looked up: ${answer.reason}` };
  return answer;
}
