import type { MessageState } from '../../topology/message';

/** Why a message could not be changed. Times are epoch milliseconds by the database's clock. */
export type Refusal =
  /** It is being sent: claimed then, by that worker. */
  | { readonly result: 'too_late'; readonly claimedAt: number; readonly worker: string }
  /** An earlier attempt may have been accepted. An edit is refused; a cancel has made the row `uncertain`. */
  | { readonly result: 'in_doubt' }
  | { readonly result: 'not_found' }
  /** It has ended, in this state. */
  | { readonly result: 'already'; readonly state: MessageState };

export type CancelAnswer = { readonly result: 'canceled' } | Refusal;

export type EditAnswer =
  | { readonly result: 'edited'; readonly version: number }
  /** The plan is not the one that the edit named. */
  | { readonly result: 'changed'; readonly version: number }
  | Refusal;
