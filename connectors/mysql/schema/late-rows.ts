import { NOW_MS } from '../sql/literals';

/** Of rows that are late and wait for a person, as SQL; and of those that were skipped. */
export const LATE = 'late_kind=1';
export const SKIPPED = 'late_kind=2';

/** A person has it sent again: its whole time begins once more, from when it may be tried. Stands before `retry_at` is written. */
export const IN_TIME_FROM_NOW = `late_from=GREATEST(${NOW_MS}, COALESCE(retry_at, 0)), `;
