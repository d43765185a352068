import type { Delivery } from '../../topology/core/bolt';
import type { DatabaseClock } from '../../topology/core/clock';
import type { Due } from '../../topology/streams';
import type { Channel } from '../channel';
import type { InHand } from '../in-hand';
import type { SendRow } from '../send-rows';

export interface WantedOptions {
  readonly channel: Channel;
  readonly inHand: InHand;
  readonly databaseClock: DatabaseClock;
  /** How long before its wake a message is emitted. */
  readonly leadMs: number;
}

/** A row that wakes. */
export type WakingRow = SendRow & { readonly wakeAt: number };

/** Says of rows, as they were read, whether the bolt is to have them. */
export class Wanted {
  constructor(private readonly options: WantedOptions) {}

  /** The row of the tuple waits to be sent within the lead, and is not claimed. */
  isWanted(row: SendRow, { tuple }: Delivery<Due>): row is WakingRow {
    const { inHand, leadMs } = this.options;
    const { version, wakeAt } = tuple.value;
    // The spout's clock may be ahead. A row about which its tuple is right is kept even if the tuple is early.
    const maxEarlyMs = row.version === version && row.wakeAt === wakeAt ? 2 * leadMs + 5_000 : leadMs;
    return this.waits(row, maxEarlyMs) && !inHand.isClaimed(row.id, row.version);
  }

  /** @param row undefined when it was deleted */
  waits(row: SendRow | undefined, maxEarlyMs = this.options.leadMs): row is WakingRow {
    if (row?.state !== 'scheduled' || row.wakeAt === null || row.channel !== this.options.channel.name) return false;
    // While nothing is known of the database's clock this is -Infinity, and everything is kept.
    return row.wakeAt - this.options.databaseClock.latest() <= maxEarlyMs;
  }
}
