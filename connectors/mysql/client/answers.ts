import type { MessageState } from '../../../topology/message';

/** Why a message could not be changed. Times are epoch milliseconds by the database's clock. */
export type Refusal =
  /** A worker is sending it, since `claimedAt`. */
  | { readonly result: 'too_late'; readonly claimedAt: number; readonly worker: string }
  /** An earlier attempt may have been accepted. An edit is refused; a cancel has made the row `uncertain`. */
  | { readonly result: 'in_doubt' }
  | { readonly result: 'not_found' }
  /** It has ended, in this state. */
  | { readonly result: 'already'; readonly state: MessageState };

export type CancelAnswer = { readonly result: 'canceled' } | Refusal;

/** The answer to a person's decision about an `uncertain` message. */
export type ResolveAnswer =
  | { readonly result: 'resolved'; readonly version: number }
  | { readonly result: 'not_uncertain'; readonly state: MessageState }
  | { readonly result: 'not_found' };

/** The answer to a request to send a `failed` message again. */
export type RedriveAnswer =
  | { readonly result: 'redriven'; readonly version: number }
  | { readonly result: 'not_failed'; readonly state: MessageState }
  | { readonly result: 'not_found' };

export type EditAnswer =
  | { readonly result: 'edited'; readonly version: number }
  /** The message has another version than the edit named. */
  | { readonly result: 'changed'; readonly version: number }
  | Refusal;
