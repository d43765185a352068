import type { MessageState } from '../../../topology/message';

/** `in_doubt` of a row that a person wants to be sent again although it is in doubt. It allows one attempt. */
export const DECIDED = 2;

/**
 * `doubt_since` of a row whose claim came to no outcome: it was claimed when it was last written, and its request began later. Stands
 * before the columns that it reads, because MySQL assigns in order.
 */
export const DOUBT_SINCE_CLAIM = 'doubt_since=COALESCE(doubt_since, FLOOR(UNIX_TIMESTAMP(updated_at) * 1000))';

/** The session of a ledger entry that records the decision of a person. */
export const BY_PERSON = '0'.repeat(32);

/** `needs_person` of a row, by its state; no other state needs one. */
export const NEEDS_PERSON: Readonly<Partial<Record<MessageState, number>>> = { failed: 1, uncertain: 2 };
