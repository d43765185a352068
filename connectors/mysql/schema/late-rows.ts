import { NOW_MS } from '../sql/literals';

/** Of rows that are late and wait for a person, as SQL; of those that were skipped; and of both. */
export const LATE = 'late_kind=1';
export const SKIPPED = 'late_kind=2';
export const ALL_LATE = 'late_kind IN (1,2)';

/** A person has it sent again: its whole time begins once more, from when it may be tried. Stands before `retry_at` is written. */
export const IN_TIME_FROM_NOW = `late_from=GREATEST(${NOW_MS}, COALESCE(retry_at, 0)), `;
