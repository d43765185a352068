import type { Delivery } from '../topology/core/bolt';
import type { Due } from '../topology/streams';
import { type Content, type HeldRow, heldRow } from './held-row';
import type { SendRow } from './send-rows';
import type { SendSlots } from './slots/send-slots';

/** All rows in the bolt's hands, from their prefetch until they are dropped or their outcome is written. */
export class InHand {
  rows = 0;
  /** Of memory, roughly. */
  bytes = 0;
  /** Claimed and not written yet, by id. */
  private readonly claimed = new Map<number, HeldRow>();

  constructor(private readonly slots: SendSlots<HeldRow>) {}

  /** Rows that are claimed and not written yet. */
  get claimedRows(): number {
    return this.claimed.size;
  }

  /** @param now by the database's clock; -Infinity while it is unknown */
  take(row: SendRow & { readonly wakeAt: number }, content: Content, delivery: Delivery<Due>, now: number): HeldRow {
    const held = heldRow(row, content, this.slots.enter(row.account, content.origin), delivery, now);
    this.rows++;
    this.bytes += held.bytes;
    return held;
  }

  letGo(row: HeldRow): void {
    this.rows--;
    this.bytes -= row.bytes;
    this.slots.leave(row.lane);
  }

  isClaimed(id: number, version: number): boolean {
    return this.claimed.get(id)?.version === version;
  }

  addClaimed(row: HeldRow): void {
    const earlier = this.claimed.get(row.id);
    // An earlier plan of the message. Its outcome took effect, or this plan could not have been claimed; only the answer is missing.
    if (earlier !== undefined) this.letGo(earlier);
    this.claimed.set(row.id, row);
  }

  /** What came of these rows is written; rows of plans that are not claimed any more are passed over. */
  written(results: readonly { readonly id: number; readonly version: number }[]): void {
    for (const { id, version } of results) {
      const row = this.claimed.get(id);
      if (row?.version !== version) continue;
      this.claimed.delete(id);
      this.letGo(row);
    }
  }
}
