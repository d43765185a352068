/** `in_doubt` of a row that is in doubt and that a person wants to be sent again all the same: for one claim. */
export const DECIDED = 2;
