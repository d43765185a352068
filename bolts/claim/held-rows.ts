import type { Delivery } from '../../topology/core/bolt';
import type { Clock, DatabaseClock } from '../../topology/core/clock';
import type { Pauses } from '../../topology/core/pauses';
import { backOff } from '../../topology/core/retry-policy';
import type { Due } from '../../topology/streams';
import type { Channel } from '../channel';
import { contentOf, type HeldRow, heldAgain, replaceDelivery } from '../held-row';
import type { InHand } from '../in-hand';
import type { SendRow } from '../send-rows';
import type { SendSlots } from '../slots/send-slots';
import type { WakeQueue } from '../slots/wake-queue';
import type { ClaimAhead } from './claim-ahead';

export interface HeldRowsOptions {
  readonly channel: Channel;
  readonly inHand: InHand;
  readonly slots: SendSlots<HeldRow>;
  readonly ahead: ClaimAhead;
  readonly pauses: Pauses;
  readonly clock: Clock;
  readonly databaseClock: DatabaseClock;
  readonly random: () => number;
  /** How long before its wake a message is emitted. */
  readonly leadMs: number;
  /** Has the row of a tuple read again, because its plan has changed. */
  readonly readAgain: (delivery: Delivery<Due>) => void;
}

/** How long past its time a row waits for its account or origin before its tuple is dropped. */
const MAX_WAIT_MS = 30_000;
/** How long a claim whose answer was lost may still take effect. */
const UNSURE_MS = 15_000;
/** When a row that a claim left out, because somebody had it locked, is claimed again. */
const MISSED_BACK_OFF = { baseMs: 50, capMs: 1_000 };

/**
 * Prefetched rows, by id and in wake order, until they are claimed or dropped.
 *
 * 1. *The row as read counts, never the tuple*: a row that does not wait any more, or wakes later than the lead, is dropped.
 * 2. *A tuple is acked when its row is claimed or dropped*, and not before.
 */
export class HeldRows {
  private readonly toClaim: WakeQueue<HeldRow>;
  /** Held or being claimed. */
  private readonly rows = new Map<number, HeldRow>();
  /** Rows that are not to be claimed any more, and whose earlier claim may still take effect. */
  private unsettled: HeldRow[] = [];

  constructor(private readonly options: HeldRowsOptions) {
    this.toClaim = options.slots.toClaim;
  }

  get size(): number {
    return this.rows.size;
  }

  /** @returns true when the row is at hand and the tuple says nothing new */
  again(delivery: Delivery<Due>): boolean {
    const { id, version } = delivery.tuple.value;
    const row = this.rows.get(id);
    if (row === undefined) return false;
    row.delivery = replaceDelivery(row.delivery, delivery);
    row.revoked = false;
    // A row that is being claimed is read again if it is not won.
    if (row.queue === undefined || row.version >= version) return true;
    this.forget(row);
    return false;
  }

  /** The row waits to be sent within the lead, and is not claimed. */
  isWanted(row: SendRow, { tuple }: Delivery<Due>): row is SendRow & { readonly wakeAt: number } {
    const { inHand, leadMs } = this.options;
    const { version, wakeAt } = tuple.value;
    // The spout's clock may be ahead. A row about which its tuple is right is kept even if the tuple is early.
    const maxEarlyMs = row.version === version && row.wakeAt === wakeAt ? 2 * leadMs + 5_000 : leadMs;
    return this.waits(row, maxEarlyMs) && !inHand.isClaimed(row.id, row.version);
  }

  /** Takes a row as read, or drops it when it is not wanted. @returns true when it is held */
  take(row: SendRow, delivery: Delivery<Due>): boolean {
    const { databaseClock, channel, inHand } = this.options;
    if (this.isWanted(row, delivery)) {
      this.put(inHand.take(row, contentOf(channel, row), delivery, databaseClock.earliest()));
      return true;
    }
    delivery.ack();
    return false;
  }

  /**
   * Takes out rows to be claimed, in wake order.
   * @param batch gets them, up to `maxRows`
   * @param until their wake at the latest
   */
  takeInto(batch: HeldRow[], until: number, maxRows: number): void {
    const { pauses, channel, slots, ahead } = this.options;
    while (batch.length < maxRows) {
      const row = this.toClaim.next(until);
      if (row === undefined) return;
      ahead.remove(row.at);
      if (!pauses.paused(channel.name, row.account)) {
        slots.reserve(row);
        batch.push(row);
      } else if (row.unsureUntil > 0) {
        this.unsettled.push(row);
      } else {
        this.drop(row);
      }
    }
  }

  /** The row was won, so its tuple is acked. */
  won(row: HeldRow): void {
    this.rows.delete(row.id);
    row.delivery.ack();
  }

  /** The row was not won. @param current as it is now; @param unsure the claim may still take effect */
  lost(row: HeldRow, current: SendRow | undefined, unsure: boolean): void {
    const { databaseClock, clock, leadMs, random, readAgain } = this.options;
    const unsureUntil = unsure ? clock.monotonic() + UNSURE_MS : row.unsureUntil;
    if (row.revoked && unsureUntil === 0) this.letGo(row);
    else if (!this.waits(current, leadMs)) this.drop(row);
    else if (current.version === row.version && current.updatedAt === row.updatedAt) {
      const delayMs = backOff(MISSED_BACK_OFF, row.misses + 1, random());
      this.put(heldAgain(row, databaseClock.earliest() + delayMs, unsureUntil));
    } else {
      this.letGo(row);
      readAgain(row.delivery);
    }
  }

  /** The row is held no more, and its tuple is acked. */
  drop(row: HeldRow): void {
    this.letGo(row);
    row.delivery.ack();
  }

  /**
   * Drops rows that waited too long for their account or origin, because reconcile brings them back.
   * @returns rows to be dropped whose earlier claim may have taken effect, though its answer was lost
   */
  sweep(now: number): readonly HeldRow[] {
    for (const row of this.toClaim.parked()) {
      if (now - row.since <= MAX_WAIT_MS) continue;
      if (row.unsureUntil > 0) {
        this.takeOut(row);
        this.unsettled.push(row);
      } else {
        this.forget(row);
        row.delivery.ack();
      }
    }
    const settled = this.unsettled.filter((row) => !this.isUnsure(row));
    this.unsettled = this.unsettled.filter((row) => this.isUnsure(row));
    return settled;
  }

  /** Forgets tuples of these partitions, without ack; all when undefined. Rows that are being claimed are finished. */
  revoke(partitions?: ReadonlySet<number>): void {
    for (const row of this.rows.values()) {
      if (partitions !== undefined && !partitions.has(row.delivery.tuple.partition)) continue;
      row.revoked = true;
      if (row.queue !== undefined && row.unsureUntil === 0) this.forget(row);
    }
  }

  private waits(row: SendRow | undefined, maxEarlyMs: number): row is SendRow & { readonly wakeAt: number } {
    if (row?.state !== 'scheduled' || row.wakeAt === null || row.channel !== this.options.channel.name) return false;
    // While nothing is known of the database's clock this is -Infinity, and everything is kept.
    return row.wakeAt - this.options.databaseClock.latest() <= maxEarlyMs;
  }

  private isUnsure(row: HeldRow): boolean {
    return row.unsureUntil > this.options.clock.monotonic();
  }

  private put(row: HeldRow): void {
    this.rows.set(row.id, row);
    this.toClaim.add(row);
    this.options.ahead.add(row.at);
  }

  /** Takes a waiting row out. */
  private forget(row: HeldRow): void {
    this.takeOut(row);
    this.letGo(row);
  }

  private takeOut(row: HeldRow): void {
    this.toClaim.remove(row);
    this.options.ahead.remove(row.at);
  }

  private letGo(row: HeldRow): void {
    this.rows.delete(row.id);
    this.options.inHand.letGo(row);
  }
}
