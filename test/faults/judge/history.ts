import type { SeenAttempt, SeenRow, SeenSession } from '../../../connectors/mysql/operators/verify/seen';
import type { ChannelClass } from '../../../topology/message';

/**
 * What a client asked and what the answer was. All times are epoch milliseconds. A call for many messages is one operation
 * for each of them, with the same times.
 *
 * As in Jepsen's histories there are three ends: `ok` took effect between the two times, `fail` certainly had no effect,
 * and `unknown` (Jepsen's info) had no answer: it may have taken effect at any time since, or never, or may do so yet.
 */
export interface ClientOperation {
  /** `overwrite`: an application's own SQL, that may forget the version. */
  readonly kind: 'schedule' | 'edit' | 'overwrite' | 'cancel';
  /** Undefined where it is not known: a schedule without an answer, or a dedupe key that the table does not have. */
  readonly id: number | undefined;
  /** The dedupe key, where the caller named one: in the end the table has its id. */
  readonly key?: string;
  readonly invokedAt: number;
  /** +Infinity while the result is unknown. */
  readonly endedAt: number;
  readonly result: 'ok' | 'fail' | 'unknown';
  /** What is to be sent from then on, where the operation changes it. */
  readonly content?: string;
  readonly dueAt?: number;
}

/** One request as the receiver saw it. */
export interface ReceivedRequest {
  /** The idempotency key. */
  readonly key: string;
  /** Epoch milliseconds, when the whole request was in. */
  readonly at: number;
  readonly content: string;
  /** It was taken as a new message. */
  readonly accepted: boolean;
}

/** The table and the ledger, in the end. */
export interface TableHistory {
  readonly now: number;
  readonly rows: readonly SeenRow[];
  readonly attempts: readonly SeenAttempt[];
  readonly sessions: readonly SeenSession[];
}

/** Three witnesses. Clients, receiver and database read the same clock: one machine. */
export interface Histories {
  readonly clients: readonly ClientOperation[];
  readonly requests: readonly ReceivedRequest[];
  readonly table: TableHistory;
  readonly classes: Readonly<Record<string, ChannelClass>>;
  /**
   * Nothing was done to workers, partitions, Kafka or CDC, so the order of sending is promised for what was planned longer
   * than this ahead. Undefined otherwise.
   */
  readonly orderedBeyond?: number | undefined;
  /** What is left when the faults have been over for long enough, by name: lag, pending, held … */
  readonly left?: Readonly<Record<string, number>>;
}
