import type { LedgerOutcome, MessageId, MessageState, Settlement } from '../../../../topology/message';

/** What every fault test checks; `downspout verify` says in words what they promise. */
export const invariants = ['I1', 'I2', 'I3', 'I4', 'I5', 'I6', 'I7'] as const;
export type Invariant = (typeof invariants)[number];

export interface Violation {
  readonly invariant: Invariant;
  /** Null: of no message in particular. */
  readonly id: MessageId | null;
  readonly reason: string;
}

/** A row as the rules look at it. Times are epoch milliseconds by the database's clock, hashes and sessions hex digits. */
export interface SeenRow {
  readonly id: MessageId;
  readonly account: string;
  readonly channel: string;
  readonly dueAt: number;
  readonly wakeAt: number | null;
  readonly state: MessageState;
  readonly version: number;
  readonly attempts: number;
  readonly planNumber: number;
  /** The version with which the plan number began. */
  readonly planVersion: number;
  readonly inDoubt: boolean;
  /** That claimed it last; all zeros when none did. */
  readonly session: string;
  readonly deliveredAt: number | null;
  readonly receipt: string | null;
  readonly createdAt: number;
  readonly updatedAt: number;
  /** SHA-256 of the payload text. */
  readonly payloadHash: string;
}

/** An entry of the ledger. */
export interface SeenAttempt {
  readonly id: MessageId;
  readonly version: number;
  readonly session: string;
  readonly wakeAt: number;
  readonly contentHash: string;
  /** Null when no request was made. */
  readonly startedAt: number | null;
  readonly finishedAt: number;
  readonly outcome: LedgerOutcome['kind'];
  readonly settled: Settlement['state'];
  readonly receipt: string | null;
  readonly recordedAt: number;
}

export interface SeenSession {
  readonly session: string;
  readonly components: readonly string[];
  readonly startedAt: number;
  readonly leaseUntil: number;
  readonly dead: boolean;
  /** It stopped in good order. */
  readonly left: boolean;
}

/** Of one message, as one snapshot shows it; attempts in the order of their versions. */
export interface Seen {
  readonly row: SeenRow;
  readonly attempts: readonly SeenAttempt[];
}

/** Nobody has marked it dead. */
export function isAlive(session: SeenSession | undefined): session is SeenSession {
  return session !== undefined && !session.dead;
}
