import { backOff, type RetryPolicy } from './core/retry-policy';

/** `scheduled_messages.id`: an integer below 2^53. */
export type MessageId = number;

/**
 * What a provider de-duplicates by: the same for every attempt of a plan, whoever makes it. Another deployment may send to
 * the same provider, so its id is a part; a retry and a recovery keep the plan's number, an edit and a redrive raise it.
 */
export function idempotencyKey(deploymentId: string, id: MessageId, planNumber: number): string {
  return `downspout-${deploymentId.slice(0, DEPLOYMENT_DIGITS)}-${id}-${planNumber}`;
}

/** Hexadecimal digits of a deployment's id in its keys: some providers take keys of 64 characters only. */
const DEPLOYMENT_DIGITS = 16;

/**
 * `suspended`: its account cannot be used. It waits for a person, costs no attempt, and is scheduled again by a spout.
 * `late`: it was not sent in time. It waits for a person, and nothing but a person schedules it again.
 */
export type MessageState =
  | 'scheduled'
  | 'sending'
  | 'delivered'
  | 'failed'
  | 'canceled'
  | 'uncertain'
  | 'suspended'
  | 'late';

export const messageStates: readonly MessageState[] = [
  'scheduled',
  'sending',
  'delivered',
  'failed',
  'canceled',
  'uncertain',
  'suspended',
  'late',
];

/**
 * What a provider does with a request it has seen before, which decides what may happen to a row in doubt.
 *
 * - `idempotent`: it de-duplicates by our key, so sending again is safe.
 * - `lookup`: it can be asked whether it has the message.
 * - `blind`: neither; a person decides.
 */
export type ChannelClass = 'idempotent' | 'lookup' | 'blind';

/**
 * The provider takes nothing for so many milliseconds: of the account, or of any account that is connected by the same app. It has
 * refused a request for it, or has said with one that was taken that it is the last. Every worker heeds it, for all messages.
 */
export interface Hold {
  readonly of: 'account' | 'app';
  readonly ms: number;
  /**
   * For how long after it, once it was refused, one request at a time is made, milliseconds; where the provider tells nothing ahead an
   * hour. An answer that only says it ahead lengthens that, and does not begin it.
   */
  readonly aloneMs?: number;
}

/** What came of one attempt. `status` is the provider's, where there was one. */
export type Outcome =
  | { readonly kind: 'delivered'; readonly receipt?: string; readonly status?: number; readonly hold?: Hold }
  /**
   * The provider did not accept it, and may later. `afterMs`: how long the provider asked us to wait. `unreachable`: its
   * origin takes no connections, whoever wants one; nothing was written.
   */
  | {
      readonly kind: 'retry';
      readonly reason: string;
      readonly afterMs?: number;
      readonly status?: number;
      readonly unreachable?: true;
      readonly hold?: Hold;
    }
  /** The provider will never take it. */
  | { readonly kind: 'rejected'; readonly reason: string; readonly status?: number }
  /**
   * The request went out, and what came back does not rule out that it was accepted. `isFinal`: sending again or asking would say no
   * more, so a person decides.
   */
  | {
      readonly kind: 'unknown';
      readonly reason: string;
      readonly afterMs?: number;
      readonly status?: number;
      readonly isFinal?: true;
    }
  /** No request was made, or what was made was refused, for a reason of our own that says nothing about the message or its receiver. */
  | { readonly kind: 'postponed'; readonly reason: string; readonly status?: never }
  /**
   * The provider does not take the account's credentials any more, or there are none: nothing was accepted, and nothing of the
   * account's will be before a person sets others. The reason says which, for that person. `isFinal`: the provider's own words rule out
   * a mistake of its own, such as those of a token that was revoked. `generation`: which of the account's credentials. While that is not
   * known the message is postponed; where the refusal is yet to be confirmed, by `afterMs`.
   */
  | {
      readonly kind: 'unusable';
      readonly reason: string;
      readonly status?: number;
      readonly isFinal?: true;
      readonly generation?: number;
      readonly afterMs?: number;
    };

/** What the ledger says of a message: what came of the attempt, or that none was made because its time was over. */
export type LedgerOutcome = Outcome | { readonly kind: 'late'; readonly reason: string; readonly status?: never };

/** The part of a claimed row that decides what an outcome does to it. */
export interface Attempted {
  readonly channelClass: ChannelClass;
  /** Including this one. */
  readonly attempts: number;
  /** When the first attempt of the plan began, this one included. What was postponed or given back counts as none. */
  readonly firstAttemptAt: number;
  /** An earlier attempt may have been accepted. */
  readonly inDoubt: boolean;
  /** The provider was asked about an earlier attempt, and nothing was sent. */
  readonly isLookup?: boolean;
}

/** What is written back to the row. Times are epoch milliseconds. */
export type Settlement =
  | { readonly state: 'delivered'; readonly deliveredAt: number; readonly receipt: string | null }
  | { readonly state: 'failed' | 'uncertain'; readonly inDoubt: boolean; readonly error: string }
  | LateSettlement
  /**
   * The claim counts as no attempt, and a person's decision stays. It is written only while credentials of this generation are
   * the account's newest; when a person has set others meanwhile, the row is given back.
   */
  | { readonly state: 'suspended'; readonly inDoubt: boolean; readonly error: string; readonly generation: number }
  /** A retry: a new plan, version + 1. `delayMs` is relative so that the database's clock decides. */
  | {
      readonly state: 'scheduled';
      readonly inDoubt: boolean;
      readonly error: string;
      readonly delayMs: number;
      /** How much of the delay the provider asked for. It does not count towards giving up. */
      readonly askedMs?: number;
      /**
       * No request was made, so a person's decision stays. `given_back`: the claim does not count as an attempt either.
       * `postponed`: it counts, because the back-off grows with it. `unreachable`, also of a lookup that was postponed: it counts for
       * giving up too.
       */
      readonly without?: 'given_back' | 'postponed' | 'unreachable';
    };

/** The message was not sent in time: it waits for a person, or was skipped. It is certain that nobody has it. */
export interface LateSettlement {
  readonly state: 'late' | 'failed';
  readonly inDoubt: false;
  readonly error: string;
  readonly isLate: true;
}

export function isLate(settlement: Settlement): settlement is LateSettlement {
  return 'isLate' in settlement;
}

/** Why a bolt gives a claimed row back as it was. The ledger says it in these words. */
export const givenBackReasons = [
  'its channel or account is paused',
  'its provider takes nothing for now',
  'its account or origin had no room',
  'its worker stopped',
  'the newest of its backlog go first',
] as const;
export type GivenBackReason = (typeof givenBackReasons)[number] | 'the channel did not start it';

/** When a row wakes again whose account got other credentials while these were refused: its worker has to read them first. */
export const OTHER_CREDENTIALS_DELAY_MS = 500;
/** The longest that a refresh of an account's credentials takes. */
export const MAX_REFRESH_MS = 30_000;
/** How often a provider has to refuse to refresh an account's credentials until it is believed. While they serve still it never is. */
export const BELIEVED_REFUSALS = 2;

/** The longest delay of a row that is postponed for a reason of our own, during the first minutes. */
const MAX_POSTPONED_MS = 60_000;
/** Afterwards each delay may be this many times as long as the one before. Milliseconds at the first attempt. */
const POSTPONED_GROWTH = 1.25;
const POSTPONED_START_MS = 1_000;
/** The longest delay of a row that cannot reach its origin, as a part of the time since its first attempt. */
const MAX_PART_OF_OUTAGE = 1 / 4;

/**
 * The state a row goes to when an attempt ended.
 *
 * A row in doubt never ends `failed`, because an earlier attempt may have been accepted. On a blind channel an unknown
 * outcome ends `uncertain` at once, because a second request needs a person, and on any channel one that is final does. A plan is
 * given up after a time and not after a number of attempts. What a provider asks us to wait is waited for in full, beyond the
 * longest back-off too, and does not count towards that time; at most that time is waited at once.
 *
 * A row that cannot reach its origin waits a quarter of the time since its first attempt at most, so that after an outage of
 * an hour everything is back within 15 minutes. Its claims become rare all the same: each wait is a quarter longer than the last.
 * A lookup that is postponed for as long as a plan may take ends `uncertain`: whatever keeps the provider from being asked, the message
 * may have been sent long ago, and somebody should see that.
 * What is postponed for a quarter of an hour becomes rare in the same way, because some of it never ends: a receiver whose
 * name server is silent for ever looks like a resolver of ours that is away.
 *
 * @param finishedAt epoch milliseconds, by the worker's best knowledge of the database's clock
 * @param random in [0, 1), for the jitter
 */
export function settle(
  row: Attempted,
  outcome: Outcome,
  policy: RetryPolicy,
  finishedAt: number,
  random: number,
): Settlement {
  if (outcome.kind === 'delivered') {
    return { state: 'delivered', deliveredAt: finishedAt, receipt: outcome.receipt ?? null };
  }
  if (outcome.kind === 'unusable' && outcome.generation !== undefined) {
    const { reason: error, generation } = outcome;
    return { state: 'suspended', inDoubt: row.inDoubt, error, generation };
  }
  const sinceFirstMs = finishedAt - row.firstAttemptAt;
  const isOver = sinceFirstMs >= policy.giveUpAfterMs;
  const givenUp = `gave up after ${row.attempts} attempts: ${outcome.reason}`;
  if (outcome.kind === 'postponed' || outcome.kind === 'unusable') {
    const { isLookup = false } = row;
    if (isLookup && isOver) return { state: 'uncertain', inDoubt: true, error: givenUp };
    if (outcome.kind === 'unusable' && outcome.afterMs !== undefined) {
      const { reason: error, afterMs: delayMs } = outcome;
      return { state: 'scheduled', inDoubt: row.inDoubt, error, delayMs, without: 'given_back' };
    }
    const grownMs = POSTPONED_START_MS * POSTPONED_GROWTH ** row.attempts;
    const capMs = Math.min(policy.capMs, Math.max(MAX_POSTPONED_MS, grownMs));
    const delayMs = backOff({ ...policy, capMs }, row.attempts, random);
    return {
      state: 'scheduled',
      inDoubt: row.inDoubt,
      error: outcome.reason,
      delayMs,
      without: isLookup ? 'unreachable' : 'postponed',
    };
  }
  const inDoubt = row.inDoubt || outcome.kind === 'unknown';
  const ended = { state: inDoubt ? ('uncertain' as const) : ('failed' as const), inDoubt };
  const isFinal = outcome.kind === 'rejected' || (outcome.kind === 'unknown' && outcome.isFinal === true);
  if (isFinal) return { ...ended, error: outcome.reason };
  if (isOver) return { ...ended, error: givenUp };
  if (outcome.kind === 'retry' && outcome.unreachable === true) {
    const capMs = Math.min(policy.capMs, Math.max(policy.baseMs, sinceFirstMs * MAX_PART_OF_OUTAGE));
    const delayMs = backOff({ baseMs: policy.baseMs, capMs }, row.attempts, random);
    return { state: 'scheduled', inDoubt, error: outcome.reason, delayMs, without: 'unreachable' };
  }
  if (row.channelClass === 'blind' && inDoubt) return { ...ended, error: outcome.reason };
  const askedMs = Math.min(outcome.afterMs ?? 0, policy.giveUpAfterMs);
  const delayMs = Math.max(askedMs, backOff(policy, row.attempts, random));
  const retried = { state: 'scheduled', inDoubt, error: outcome.reason, delayMs } as const;
  return askedMs > 0 ? { ...retried, askedMs } : retried;
}
