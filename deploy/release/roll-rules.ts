import { haltRules, rollRules } from '../monitoring/halt-rules';

/** What came of an account's attempts in a stretch of time. */
interface AccountFigures {
  readonly attempts: number;
  /** Ended otherwise than delivered. */
  readonly failed: number;
  /** Ended later after their wake than `haltRules.lateMs`. */
  readonly late: number;
  /** Ended later after their wake than `rollRules.veryLateMs`; among those that are late. */
  readonly veryLate: number;
}

type Count = 'failed' | 'late' | 'veryLate';

/** The same by `channel/account`. */
export type AttemptFigures = ReadonlyMap<string, AccountFigures>;

/** A stretch of time: what workers of the new release did, what the others did beside them, and what waits now. */
export interface RollFigures extends WaitingFigures {
  readonly fresh: AttemptFigures;
  readonly others: AttemptFigures;
  /** So many messages are due about now that some of them are late whatever the release. */
  readonly isCrowded: boolean;
  /** What was paused at any moment of the roll: `channel/account`, `channel/`, or `/` for everything. */
  readonly paused: ReadonlySet<string>;
}

/** Messages that woke between `overdueSinceMs` and `overdueMs` ago and wait. */
interface OverdueFigures {
  readonly messages: number;
  /** Those of the account that has most. */
  readonly ofWorst: number;
}

/** What waits now. */
export interface WaitingFigures {
  /** By channel, without channels that have none; null when they could not be counted in a moment. */
  readonly overdue: ReadonlyMap<string, OverdueFigures> | null;
  /** The longest silence of CDC that a spout reports, milliseconds; null when none does. */
  readonly cdcSilentMs: number | null;
}

export const noAttempts: AttemptFigures = new Map();
export const nothingWaits: WaitingFigures = { overdue: new Map(), cdcSilentMs: 0 };

/**
 * Whether there is something to judge by. One account's attempts are not enough where there are others, because they say more
 * about its receiver than about a release.
 */
function canBeJudged(figures: AttemptFigures, hasSeveral: boolean, least: number): boolean {
  return attemptsOf(figures) >= least && (figures.size > 1 || !hasSeveral);
}

/** What is looked for in attempts. */
export interface AttemptsRule {
  readonly count: Count;
  /** As a share of all attempts. */
  readonly limit: number;
  /** For how long it must last, milliseconds. */
  readonly holdMs: number;
  /** Judged only beside others, or after what was before: elsewhere there is no telling it from receivers that always do so. */
  readonly isRelative: boolean;
  readonly text: string;
}

const { errorShare, lateShare, veryLateMs, holdMs, lateHoldMs, timesWorse } = rollRules;
const endLate = (ms: number) => `end ${ms / 1_000} s late or more`;
export const attemptsRules = {
  failed: { count: 'failed', limit: errorShare, holdMs, isRelative: false, text: 'fail' },
  veryLate: { count: 'veryLate', limit: lateShare, holdMs, isRelative: false, text: endLate(veryLateMs) },
  late: { count: 'late', limit: lateShare, holdMs: lateHoldMs, isRelative: true, text: endLate(haltRules.lateMs) },
} as const satisfies Record<Count, AttemptsRule>;

/**
 * What is wrong with the attempts of the new release, in one sentence, or null. They are compared with what the others do now
 * or did before, whichever is worse, because each worker has accounts of its own. An account counts as one, however much it
 * sends, and the worst one does not count: its receiver may have died during the roll. Accounts that do badly, and did so before, do
 * not count either: the first new worker may have got those with slow receivers.
 * @param before what all workers did before the roll
 * @param hasSeveral there is more than one account
 * @param least attempts of the new release that a judgement needs
 * @returns undefined when there is not enough to judge by
 */
export function attemptsTrouble(
  { count, limit, isRelative, text }: AttemptsRule,
  { fresh, others }: Pick<RollFigures, 'fresh' | 'others'>,
  before: AttemptFigures,
  hasSeveral: boolean,
  least: number,
): string | null | undefined {
  const judged = filtered(fresh, (one, account) => {
    const share = shareOfAccount(one, count);
    return share <= limit || share > timesWorse * shareOfAccount(before.get(account), count);
  });
  if (!canBeJudged(judged, hasSeveral, least)) return undefined;
  const known = [others, before].filter((figures) => canBeJudged(figures, hasSeveral, rollRules.leastAttempts));
  if (isRelative && known.length === 0) return null;
  const references = isRelative ? known : [before, ...known];
  const reference = Math.max(...references.map((figures) => shareOf(figures, count)));
  const worse = compare(shareOf(judged, count), reference, limit);
  return worse === null ? null : `${worse} of the new release's attempts ${text}`;
}

/** Without what was paused, because that is late whatever the release. */
export function withoutPaused(figures: AttemptFigures, paused: ReadonlySet<string>): AttemptFigures {
  if (paused.size === 0) return figures;
  return filtered(figures, (_, account) => {
    const channel = account.slice(0, account.indexOf('/') + 1);
    return !paused.has(account) && !paused.has(channel) && !paused.has('/');
  });
}

/**
 * What is wrong with what waits, in one sentence, or null. The more is overdue, the longer counting takes, so a count that could
 * be made before and cannot any more is trouble.
 * @param before the same figures before the roll began, or the first that could be counted
 * @param hasSeveral whether a channel has more than one account, so that the one that has most does not count
 */
export function waitingTrouble(
  now: WaitingFigures,
  before: WaitingFigures,
  hasSeveral: (channel: string) => boolean,
): string | null {
  if (now.overdue === null && before.overdue !== null)
    return 'more messages are overdue than can be counted in a moment';
  const countOf = ({ overdue }: WaitingFigures, channel: string) => {
    const { messages, ofWorst } = overdue?.get(channel) ?? { messages: 0, ofWorst: 0 };
    return messages - (hasSeveral(channel) ? ofWorst : 0);
  };
  const channels = [...(now.overdue?.keys() ?? [])];
  // Each channel alone, because much that waited before on another one says nothing of it; then all that wait together.
  for (const these of [...channels.map((channel) => [channel]), channels]) {
    const [messages, had] = [now, before].map((figures) =>
      these.reduce((sum, channel) => sum + countOf(figures, channel), 0),
    ) as [number, number];
    if (messages > rollRules.timesWorse * had + rollRules.overdueMessages) {
      return `${messages} messages are overdue for more than ${haltRules.overdueMs / 1_000} s (${had} before the roll)`;
    }
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

/** A crowd in words, or null when there is none. @param perSecond null when there were too many to be counted in a moment */
export function crowdText(perSecond: readonly number[] | null): string | null {
  if (perSecond === null) return 'more messages than can be counted in a moment';
  const messages = crowdOf(perSecond);
  return messages === null ? null : `${messages} messages`;
}

export function byChannel(figures: AttemptFigures): ReadonlyMap<string, AttemptFigures> {
  const channels = new Map<string, Map<string, AccountFigures>>();
  for (const [name, one] of figures) {
    const channel = name.slice(0, name.indexOf('/'));
    channels.set(channel, (channels.get(channel) ?? new Map()).set(name, one));
  }
  return channels;
}

export function added(one: AttemptFigures, other: AttemptFigures): AttemptFigures {
  const sum = new Map(one);
  for (const [account, { attempts, failed, late, veryLate }] of other) {
    const had = sum.get(account) ?? { attempts: 0, failed: 0, late: 0, veryLate: 0 };
    sum.set(account, {
      attempts: had.attempts + attempts,
      failed: had.failed + failed,
      late: had.late + late,
      veryLate: had.veryLate + veryLate,
    });
  }
  return sum;
}

function attemptsOf(figures: AttemptFigures): number {
  return [...figures.values()].reduce((sum, { attempts }) => sum + attempts, 0);
}

function isSilent({ cdcSilentMs }: WaitingFigures): boolean {
  return cdcSilentMs !== null && cdcSilentMs > haltRules.cdcSilentMs;
}

function filtered(figures: AttemptFigures, test: (one: AccountFigures, account: string) => boolean): AttemptFigures {
  return new Map([...figures].filter(([account, one]) => test(one, account)));
}

function shareOfAccount(one: AccountFigures | undefined, count: Count): number {
  return one === undefined ? 0 : one[count] / one.attempts;
}

/** The mean of the accounts' shares, without the worst of several accounts. */
function shareOf(figures: AttemptFigures, count: Count): number {
  const shares = [...figures.values()].map((one) => shareOfAccount(one, count)).toSorted((a, b) => b - a);
  const counted = shares.slice(shares.length > 1 ? 1 : 0);
  return counted.length === 0 ? 0 : counted.reduce((sum, share) => sum + share, 0) / counted.length;
}

/** `12 % (3 % of the others')` when the share is above the limit and much worse than the reference; null otherwise. */
function compare(share: number, reference: number, limit: number): string | null {
  if (share <= Math.max(limit, rollRules.timesWorse * reference)) return null;
  return `${percent(share)} (${percent(reference)} of the old release's)`;
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
