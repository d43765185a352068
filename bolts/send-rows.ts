import type { Lateable } from '../topology/core/lateness';
import type { LedgerOutcome, MessageState, Settlement } from '../topology/message';
import type { Kept } from './kept-ids';

/** A row as read for sending. Times are epoch milliseconds. */
export interface SendRow extends Lateable {
  readonly id: number;
  readonly account: string;
  readonly channel: string;
  /** JSON text as the database writes it; typed by the channel. Null when it is larger than was asked for. */
  readonly payload: string | null;
  /** Its size in the table. The text may be somewhat longer or shorter. */
  readonly payloadBytes: number;
  /** What the user asked for. */
  readonly dueAt: number;
  /** Null when canceled. */
  readonly wakeAt: number | null;
  readonly version: number;
  readonly state: MessageState;
  /** Claims of this plan so far. */
  readonly attempts: number;
  /** When the first attempt of this plan began whose outcome was written; null when there was none. */
  readonly firstAttemptAt: number | null;
  /** Rises with an edit or redrive of a row that is not in doubt. The idempotency key is made of it. */
  readonly planNumber: number;
  readonly inDoubt: boolean;
  /** When the first attempt began that may have been accepted, or was claimed if it did not say; null when there is none. */
  readonly doubtSince: number | null;
  /** How many claims in a row came to no outcome that was written, because their workers ended, for example. */
  readonly recoveries: number;
  /** A person decided that it is sent again although it is in doubt. It holds until an attempt was made. */
  readonly decided: boolean;
  /** `YYYY-MM-DD HH:MM:SS.ffffff`, compared in the claim; catches edits that forgot `version`. */
  readonly updatedAt: string;
  /** The owner of the claim, 32 hex digits. */
  readonly session: string | null;
}

/** What is claimed: the plan exactly as it was read. */
export interface ClaimRow {
  readonly id: number;
  readonly version: number;
  readonly updatedAt: string;
}

/** The end of one attempt: what goes to the row and what goes to the ledger. Times are epoch milliseconds. */
export interface AttemptResult {
  readonly id: number;
  readonly version: number;
  readonly dueAt: number;
  readonly wakeAt: number;
  /** SHA-256 of the payload text, 64 hex digits. */
  readonly contentHash: string;
  /** When the request began; null when none was made. */
  readonly startedAt: number | null;
  readonly finishedAt: number;
  readonly outcome: LedgerOutcome;
  readonly settlement: Settlement;
  /** The table may have ids of it that are not needed once it has ended. */
  readonly hasKept?: true;
}

/** What becomes of a row that is not claimed: it is too late, or newer ones go first. */
export type UnclaimedResult = AttemptResult & ClaimRow;

/** A result that could not be written. */
export interface Unwritten {
  readonly id: number;
  readonly reason: string;
  /** True when it should be written again later. */
  readonly again: boolean;
  /**
   * Given where writing waited in vain for something that is not the row: `own` when rows of its account alone waited, so that they
   * should be written apart from those of others; `others` when it can be written at once, because others waited.
   */
  readonly wait?: 'own' | 'others';
}

/** What becomes of a claim whose result is refused: its row is scheduled in doubt for so many milliseconds later, version + 1. */
export interface RowRelease {
  readonly reason: string;
  readonly delayMs: number;
  /** Nothing came of the claim that may have been accepted: the row is in doubt only if it was before. */
  readonly keepsDoubt?: boolean;
}

export type WrittenAlone = 'written' | 'refused' | 'released';

/** What the bolt does with the table. Every call throws Unavailable when the database does not answer. */
export interface SendRows {
  /**
   * Rows by id, in no particular order; ids that do not exist are missing from the answer.
   * @param maxPayloadBytes larger payloads are left out of the answer
   */
  read(ids: readonly number[], maxPayloadBytes: number): Promise<SendRow[]>;

  /**
   * Claims rows in one conditional UPDATE: to `sending` for the session, attempts + 1, of those that are `scheduled`,
   * unchanged since they were read, and wake at most `aheadMs` after the database's now. A row that another transaction
   * has locked is waited for up to a second and then left out. One that the database refuses to write is left out too.
   * @returns how many rows were won. When that is fewer than given, or after an error, `read` shows which: their state is
   * `sending` and their session is this one.
   * @throws PartlyClaimed when the database refused rows, after the others were claimed
   */
  claim(session: string, rows: readonly ClaimRow[], aheadMs: number): Promise<number>;

  /**
   * Settles rows without a claim, and writes the ledger, in one transaction: those that are `scheduled`, have woken, are not in doubt and
   * are unchanged since they were read. They are never `sending`, so whatever dies nobody takes them for sent. Rows that another
   * transaction has locked are left out. Repeating it is harmless.
   * @returns the ids of those that were settled
   */
  settleUnclaimed(session: string, results: readonly UnclaimedResult[]): Promise<readonly number[]>;

  /**
   * Writes the ledger and settles the rows that the session still owns in that version, in one transaction; a row without
   * a first attempt takes it from the first result that is one: when its request began, or else now. Repeating it
   * is harmless. A delivered attempt whose claim was lost settles the row if it is in doubt. A result that cannot be
   * written does not hold the others: it is found and returned. `again` says that it waits for what another transaction has
   * locked; otherwise the database seems to refuse it. Ids that were kept of a row go when it is delivered or has failed.
   * @throws when nothing was written: the database, one of its tables or the ledger is away, or refuses all of it
   */
  writeBack(session: string, results: readonly AttemptResult[]): Promise<readonly Unwritten[]>;

  /**
   * Writes only the ledger's entries of these results, each of which is `delivered`, all of them or none. Their rows stay as they
   * are, for `writeBack` to settle; where it never comes to that because the session has died, recovery settles them by the
   * ledger. Repeating it is harmless, and so is `writeBack` afterwards.
   */
  journal(session: string, results: readonly AttemptResult[]): Promise<void>;

  /**
   * Writes one result that could not be written with others, and finds out whether the database refuses it. It does only if it
   * takes what is written just before and just after, in the same tables: while one of them is away, nothing is refused.
   * @param release becomes of the row if the result is refused and the session still owns it; null when it is to stay as it is
   * @returns 'written' also when repeated, or when the claim was lost
   * @throws whatever else it is, which changes nothing: an outage, a lock, or a row that can neither be written nor released
   */
  writeAlone(session: string, result: AttemptResult, release: RowRelease | null): Promise<WrittenAlone>;

  /** What was kept of the message under this plan number; undefined when nothing was. */
  kept(id: number, planNumber: number): Promise<Kept | undefined>;

  /**
   * Keeps ids of the message under its plan number, in place of all earlier ones, if the session still owns the row in that
   * version. The row itself stays as it is. A row that another transaction has locked is waited for up to a second.
   * @returns false when the session does not own it any more: nothing is kept
   */
  keep(session: string, row: Pick<ClaimRow, 'id' | 'version'>, kept: Kept): Promise<boolean>;
}
