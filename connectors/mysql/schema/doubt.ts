import type { MessageState } from '../../../topology/message';

/** `in_doubt` of a row that a person wants to be sent again although it is in doubt. It allows one attempt. */
export const DECIDED = 2;

/** The session of a ledger entry that records the decision of a person. */
export const BY_PERSON = '0'.repeat(32);

/** `needs_person` of a row, by its state; no other state needs one. */
export const NEEDS_PERSON: Readonly<Partial<Record<MessageState, number>>> = { failed: 1, uncertain: 2 };
