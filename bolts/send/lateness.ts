import type { DatabaseClock } from '../../topology/core/clock';
import { endOf, type Lateable, type LatenessPolicy, lateText, policyOf } from '../../topology/core/lateness';
import type { GivenBackReason, LedgerOutcome, Settlement } from '../../topology/message';
import type { HeldRow } from '../held-row';
import type { UnclaimedResult } from '../send-rows';

/** A message belongs to a backlog that is so much overdue; and for so long as a part of that it waits for newer ones. */
const BACKLOG_MS = 60_000;
const BACKLOG_PART = 1 / 10;
/** Of a row that is late and in doubt. */
const MAY_HAVE_IT = 'An earlier attempt may have been accepted';

/**
 * Decides whether a message is too late to be sent, and what becomes of it then. Its time ends by the upper bound of the database's
 * clock, so that no request begins after it.
 */
export class Lateness {
  /** @param policy of messages that say nothing themselves */
  constructor(
    private readonly policy: LatenessPolicy,
    private readonly databaseClock: DatabaseClock,
  ) {}

  /** No request of it may begin any more. False while the clock is unknown, which says nothing of the row. */
  isOver(row: Lateable): boolean {
    const end = endOf(row, this.policy);
    // Most messages may be sent however late it is, and each is asked about several times.
    if (end === Number.POSITIVE_INFINITY) return false;
    const latest = this.databaseClock.latest();
    return Number.isFinite(latest) && latest > end;
  }

  /** What becomes of a row that is over. */
  ended(row: HeldRow): { readonly outcome: LedgerOutcome; readonly settlement: Settlement } {
    const reason = `late: not sent, because it is ${lateText(row, this.policy, this.databaseClock.latest())}`;
    return { outcome: { kind: 'late', reason }, settlement: this.settled(row, row.inDoubt, reason) };
  }

  /**
   * It is put off, once, because newer ones of the backlog go first: the later it is, the longer. So they leave in the reverse of the
   * order in which they were due, over a part of the time for which nothing was sent.
   */
  isPutOff(row: HeldRow): boolean {
    const isFirst = row.wakeAt === row.dueAt && row.lateFrom === null;
    return this.policy.backlog === 'newest' && isFirst && this.overdueMs(row) > BACKLOG_MS;
  }

  /** What becomes of a row that is over or put off, and is neither claimed nor in doubt. */
  resultOf(row: HeldRow): UnclaimedResult {
    const { id, version, updatedAt, dueAt, wakeAt, contentHash } = row;
    const finishedAt = Math.floor(this.databaseClock.earliest());
    const result = this.isOver(row) ? this.ended(row) : this.putOff(row);
    return { id, version, updatedAt, dueAt, wakeAt, contentHash, startedAt: null, finishedAt, ...result };
  }

  /**
   * What becomes of a row in place of a retry that would come too late; undefined when it would not, or when the row is in doubt:
   * that is settled when it wakes, because its provider may be asked then.
   * @param at when it would wake, epoch milliseconds
   */
  insteadOfRetry(row: HeldRow, retry: Extract<Settlement, { state: 'scheduled' }>, at: number): Settlement | undefined {
    if (retry.inDoubt || at <= endOf(row, this.policy)) return undefined;
    const late = `late: not tried again, because that would be ${lateText(row, this.policy, at)}`;
    return this.settled(row, false, `${late}. The last error: ${retry.error}`);
  }

  private putOff(row: HeldRow): { readonly outcome: LedgerOutcome; readonly settlement: Settlement } {
    const reason: GivenBackReason = 'the newest of its backlog go first';
    const leftMs = endOf(row, this.policy) - this.databaseClock.latest();
    // Half of the time that it has left stays for sending it.
    const delayMs = Math.min(this.overdueMs(row) * BACKLOG_PART, leftMs / 2);
    const settlement = { state: 'scheduled', inDoubt: false, error: reason, delayMs, without: 'given_back' } as const;
    return { outcome: { kind: 'retry', reason }, settlement };
  }

  private overdueMs(row: HeldRow): number {
    return this.databaseClock.earliest() - row.dueAt;
  }

  private settled(row: HeldRow, inDoubt: boolean, error: string): Settlement {
    if (inDoubt) return { state: 'uncertain', inDoubt, error: `${error}. ${MAY_HAVE_IT}` };
    const state = policyOf(row, this.policy).onLate === 'skip' ? 'failed' : 'late';
    return { state, inDoubt, error, isLate: true };
  }
}
