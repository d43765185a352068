import type { AttemptResult } from '../../../bolts/send-rows';
import type { ChannelClass } from '../../../topology/message';
import type { MemoryRow } from '../../support/mysql/memory-table';

/** All times are epoch milliseconds by the database's clock, with fractions. */
export interface ClientOperation {
  readonly kind: 'insert' | 'edit' | 'cancel' | 'overwrite' | 'redrive';
  /** Undefined for an insert without an answer. */
  readonly id: number | undefined;
  readonly invokedAt: number;
  /** +Infinity while no answer has come. */
  readonly endedAt: number;
  /** `refused`: certainly without effect. `unknown`: with or without. */
  readonly result: 'ok' | 'refused' | 'unknown';
  /** What is to be sent from then on; no two operations have the same. */
  readonly content?: string;
  /** When it is to be sent from then on. */
  readonly dueAt?: number;
  /** The version of the plan that it made, when the answer named it. */
  readonly version?: number;
}

/** One request as the receiver saw it begin. */
export interface ReceivedRequest {
  readonly id: number;
  readonly account: string;
  readonly key: string;
  readonly content: string;
  readonly worker: string;
  readonly at: number;
  /** It was taken as a new message. */
  accepted: boolean;
}

/** A plan as the table had it, from then on. */
export interface PlanChange {
  readonly id: number;
  readonly version: number;
  readonly wakeAt: number | null;
  /** The last moment at which a request of it may begin; never when not given. */
  readonly end?: number;
  readonly committedAt: number;
}

interface TableHistory {
  readonly rows: readonly Readonly<MemoryRow>[];
  readonly plans: readonly PlanChange[];
  readonly ledger: readonly (AttemptResult & { readonly session: string; readonly recordedAt: number })[];
  /** Sessions that were marked dead, and since when. */
  readonly markedDead: ReadonlyMap<string, number>;
  /** Sessions whose process died. */
  readonly died: ReadonlySet<string>;
}

export interface Histories {
  readonly clients: readonly ClientOperation[];
  readonly requests: readonly ReceivedRequest[];
  readonly table: TableHistory;
  readonly classes: Readonly<Record<string, ChannelClass>>;
  /** No worker died, no partition moved and nothing failed, so that the order of sending is promised. Else undefined. */
  readonly orderedBeyond: number | undefined;
  /**
   * What an outage has held up goes out newest first, and nothing but the outage has disturbed that: of what was due from then on. What a
   * bolt was about to claim when the outage began may be claimed already, so it is not put off. Else undefined.
   */
  readonly newestFrom: number | undefined;
  /** What is left when the faults have been over for long enough. */
  readonly left: Readonly<Record<string, number>>;
  /** Nothing went wrong but what single accounts did. Else undefined. */
  readonly fairness: Fairness | undefined;
}

export interface Fairness {
  /** How late messages of other accounts may be, milliseconds. */
  readonly within: number;
  /** The accounts that do harm. */
  readonly harmful: readonly string[];
  /** Partitions whose committed offset stood still for longer than a tuple may be held. */
  readonly stuck: readonly string[];
  /** The most bytes that one bolt held, and what it may hold. */
  readonly heldBytes: number;
  readonly maxHeldBytes: number;
}
