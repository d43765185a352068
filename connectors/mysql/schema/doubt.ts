/** `in_doubt` of a row that is in doubt and that a person wants to be sent again all the same: for one claim. */
export const DECIDED = 2;

/** The session of an entry that a person made by settling what was uncertain. */
export const BY_PERSON = '0'.repeat(32);
