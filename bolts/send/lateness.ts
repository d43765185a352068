import type { DatabaseClock } from '../../topology/core/clock';
import { endOf, type Lateable, type LatenessPolicy, lateText, policyOf } from '../../topology/core/lateness';
import type { LedgerOutcome, Settlement } from '../../topology/message';
import type { HeldRow } from '../held-row';
import type { UnclaimedResult } from '../send-rows';

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
    const latest = this.databaseClock.latest();
    return Number.isFinite(latest) && latest > endOf(row, this.policy);
  }

  /** What becomes of a row that is over. */
  ended(row: HeldRow): { readonly outcome: LedgerOutcome; readonly settlement: Settlement } {
    const reason = `late: not sent, because it is ${lateText(row, this.policy, this.databaseClock.latest())}`;
    return { outcome: { kind: 'late', reason }, settlement: this.settled(row, row.inDoubt, reason) };
  }

  /** The same of a row that is neither claimed nor in doubt. */
  resultOf(row: HeldRow): UnclaimedResult {
    const { id, version, updatedAt, dueAt, wakeAt, contentHash } = row;
    const finishedAt = Math.floor(this.databaseClock.earliest());
    return { id, version, updatedAt, dueAt, wakeAt, contentHash, startedAt: null, finishedAt, ...this.ended(row) };
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

  private settled(row: HeldRow, inDoubt: boolean, error: string): Settlement {
    if (inDoubt) return { state: 'uncertain', inDoubt, error: `${error}. ${MAY_HAVE_IT}` };
    const state = policyOf(row, this.policy).onLate === 'skip' ? 'failed' : 'late';
    return { state, inDoubt, error, isLate: true };
  }
}
