import { haltRules, rollRules } from '../monitoring/halt-rules';

/** What came of attempts in a stretch of time. */
export interface AttemptFigures {
  readonly attempts: number;
  /** Ended otherwise than delivered. */
  readonly failed: number;
  /** Ended later after their wake than `lateMs`. */
  readonly late: number;
}

/** A stretch of time: what workers of the new release did, what the others did beside them, and what waits now. */
export interface RollFigures extends WaitingFigures {
  readonly fresh: AttemptFigures;
  readonly others: AttemptFigures;
}

/** What waits now. */
export interface WaitingFigures {
  /** Messages that woke between `overdueSinceMs` and `overdueMs` ago and wait; null when they could not be counted in a moment. */
  readonly overdue: number | null;
  /** The longest silence of CDC that a spout reports, milliseconds; null when none does. */
  readonly cdcSilentMs: number | null;
}

export const noAttempts: AttemptFigures = { attempts: 0, failed: 0, late: 0 };

/**
 * What is wrong with the attempts of the new release, in one sentence, or null. They are compared with what the others do now
 * or did before, whichever is worse, because each worker has accounts of its own.
 * @param before what all workers did before the roll
 */
export function attemptsTrouble(
  { fresh, others }: Pick<RollFigures, 'fresh' | 'others'>,
  before: AttemptFigures,
): string | null {
  const now = others.attempts >= rollRules.leastAttempts ? others : noAttempts;
  const worse = (count: 'failed' | 'late') => Math.max(shareOf(now, now[count]), shareOf(before, before[count]));
  const errors = compare(shareOf(fresh, fresh.failed), worse('failed'), rollRules.errorShare);
  if (errors !== null) return `${errors} of the new release's attempts fail`;
  const late = compare(shareOf(fresh, fresh.late), worse('late'), rollRules.lateShare);
  return late === null ? null : `${late} of the new release's attempts end ${rollRules.lateMs / 1_000} s late or more`;
}

/**
 * What is wrong with what waits, in one sentence, or null.
 * @param before the same figures before the roll began, or the first that could be counted
 */
export function waitingTrouble(now: WaitingFigures, before: WaitingFigures): string | null {
  const most = rollRules.timesWorse * (before.overdue ?? 0) + rollRules.overdueMessages;
  if (now.overdue !== null && now.overdue > most) {
    return `${now.overdue} messages are overdue for more than ${haltRules.overdueMs / 1_000} s (${before.overdue ?? 0} before the roll)`;
  }
  if (isSilent(now) && !isSilent(before)) {
    return `CDC has been silent for ${Math.round((now.cdcSilentMs as number) / 1_000)} s`;
  }
  return null;
}

/**
 * How many messages of one second are a crowd; null when there is none. A steady stream is none, however many it has.
 * @param perSecond open messages of the seconds around now that have any
 */
export function crowdOf(perSecond: readonly number[]): number | null {
  const most = Math.max(0, ...perSecond);
  const mean = perSecond.reduce((sum, count) => sum + count, 0) / (2 * rollRules.crowdSeconds);
  return most >= rollRules.crowdMessages && most >= rollRules.crowdTimes * mean ? most : null;
}

export function added(one: AttemptFigures, other: AttemptFigures): AttemptFigures {
  return {
    attempts: one.attempts + other.attempts,
    failed: one.failed + other.failed,
    late: one.late + other.late,
  };
}

function isSilent({ cdcSilentMs }: WaitingFigures): boolean {
  return cdcSilentMs !== null && cdcSilentMs > haltRules.cdcSilentMs;
}

function shareOf({ attempts }: AttemptFigures, count: number): number {
  return attempts === 0 ? 0 : count / attempts;
}

/** `12 % (3 % of the others')` when the share is above the limit and much worse than the reference; null otherwise. */
function compare(share: number, reference: number, limit: number): string | null {
  if (share <= Math.max(limit, rollRules.timesWorse * reference)) return null;
  return `${percent(share)} (${percent(reference)} of the old release's)`;
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
