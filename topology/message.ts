import { backOff, type RetryPolicy } from './core/retry-policy';

/** `scheduled_messages.id`: an integer below 2^53. */
export type MessageId = number;

/** What a provider de-duplicates by: the same for every attempt of a message, whoever makes it. */
export function idempotencyKey(id: MessageId): string {
  return `downspout-${id}`;
}

export type MessageState = 'scheduled' | 'sending' | 'delivered' | 'failed' | 'canceled' | 'uncertain';

export const messageStates: readonly MessageState[] = [
  'scheduled',
  'sending',
  'delivered',
  'failed',
  'canceled',
  'uncertain',
];

/**
 * What a provider does with a request it has seen before, which decides what may happen to a row in doubt.
 *
 * - `idempotent`: it de-duplicates by our key, so sending again is safe.
 * - `lookup`: it can be asked whether it has the message.
 * - `blind`: neither; a person decides.
 */
export type ChannelClass = 'idempotent' | 'lookup' | 'blind';

/** What came of one attempt. `status` is the provider's, where there was one. */
export type Outcome =
  | { readonly kind: 'delivered'; readonly receipt?: string; readonly status?: number }
  /** The provider did not take it and says, or we assume, that it may later. `after`: milliseconds it asked us to wait. */
  | { readonly kind: 'retry'; readonly reason: string; readonly after?: number; readonly status?: number }
  /** The provider will never take it. */
  | { readonly kind: 'rejected'; readonly reason: string; readonly status?: number }
  /** The request went out and no usable answer came back: it may have been accepted. */
  | { readonly kind: 'unknown'; readonly reason: string; readonly status?: number };

/** The part of a claimed row that decides what an outcome does to it. */
export interface Attempted {
  readonly channelClass: ChannelClass;
  /** Including this one. */
  readonly attempts: number;
  /** An earlier attempt may have been accepted. */
  readonly inDoubt: boolean;
}

/** What is written back to the row. Times are epoch milliseconds. */
export type Settlement =
  | { readonly state: 'delivered'; readonly deliveredAt: number; readonly receipt: string | null }
  | { readonly state: 'failed' | 'uncertain'; readonly inDoubt: boolean; readonly error: string }
  /** A retry: a new plan, version + 1. `delay` is relative so that the database's clock decides. */
  | {
      readonly state: 'scheduled';
      readonly inDoubt: boolean;
      readonly error: string;
      readonly delay: number;
      /** The claim was given back without an attempt, so it does not count against the cap. */
      readonly givenBack?: true;
    };

/**
 * The state a row goes to when an attempt ended.
 *
 * A row in doubt never ends `failed`, because an earlier attempt may have been accepted. On a blind channel an unknown
 * outcome ends `uncertain` at once: a second request needs a person.
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
  const inDoubt = row.inDoubt || outcome.kind === 'unknown';
  const ended = { state: inDoubt ? ('uncertain' as const) : ('failed' as const), inDoubt };
  if (outcome.kind === 'rejected') return { ...ended, error: outcome.reason };
  if (row.attempts >= policy.maxAttempts) {
    return { ...ended, error: `gave up after ${row.attempts} attempts: ${outcome.reason}` };
  }
  if (row.channelClass === 'blind' && inDoubt) return { ...ended, error: outcome.reason };
  const asked = outcome.kind === 'retry' ? (outcome.after ?? 0) : 0;
  const delay = Math.max(Math.min(asked, policy.cap), backOff(policy, row.attempts, random));
  return { state: 'scheduled', inDoubt, error: outcome.reason, delay };
}
