import type { Kept } from './kept-ids';
import type { ClaimRow } from './send-rows';

/** A message that wakes soon. Times are epoch milliseconds. */
export interface UpcomingRow {
  readonly id: number;
  readonly shard: number;
  readonly account: string;
  readonly wakeAt: number;
  readonly version: number;
}

/** What is asked for: what wakes from then on, and before then. */
export interface UpcomingRange {
  readonly from: number;
  readonly below: number;
  /** Of a shard, the last row that is not asked for any more; from the beginning where there is none. */
  readonly after: ReadonlyMap<number, Pick<UpcomingRow, 'wakeAt' | 'id'>>;
  /** Of each shard. */
  readonly limit: number;
}

/**
 * What the bolt does with messages that are not claimed, to make them ready before their instant. Every call throws Unavailable when
 * the database does not answer.
 *
 * 1. *A message is made ready once*: of one plan number with one content `begin` lets one worker do it.
 * 2. *What is kept without a claim replaces nothing that may be published*: only while the row waits, in the version that was read, and is
 *    not in doubt.
 */
export interface ReadyRows {
  /** Open messages of the channel, by wake within each shard. */
  upcoming(channel: string, range: UpcomingRange): Promise<readonly UpcomingRow[]>;

  /**
   * Says that the message is being made ready: from now on it has kept ids, and none in them. A row that another transaction has
   * locked is left.
   * @returns false when the row does not wait as it was read, is in doubt, or has kept ids of this plan number and content
   */
  begin(row: ClaimRow, contentHash: string): Promise<boolean>;

  /**
   * Keeps ids of the message under its plan number, in place of all earlier ones. The row itself stays as it is, and a claim
   * comes before or after: whoever has it finds the ids. A row that another transaction has locked is waited for up to a second.
   * @returns false when the row does not wait in that version any more, or is in doubt: nothing is kept
   */
  keep(row: Pick<ClaimRow, 'id' | 'version'>, kept: Kept): Promise<boolean>;
}
