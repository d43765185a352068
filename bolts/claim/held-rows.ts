import type { Delivery } from '../../topology/core/bolt';
import type { Clock, DatabaseClock } from '../../topology/core/clock';
import type { Pauses } from '../../topology/core/pauses';
import { backOff } from '../../topology/core/retry-policy';
import type { Due } from '../../topology/streams';
import type { Channel } from '../channel';
import { type Content, contentOf, type HeldRow, heldAgain, heldRow, replaceDelivery } from '../held-row';
import type { SendRow } from '../send-rows';
import { TO_CLAIM } from '../slots/line';
import type { Host } from '../slots/resources';
import type { SendSlots } from '../slots/send-slots';
import { WakeQueue } from '../slots/wake-queue';
import { ClaimAhead } from './claim-ahead';

export interface HeldRowsOptions {
  readonly channel: Channel;
  readonly slots: SendSlots;
  readonly pauses: Pauses;
  readonly clock: Clock;
  readonly databaseClock: DatabaseClock;
  readonly random: () => number;
  /** How long before its wake a message is emitted, milliseconds. */
  readonly leadMs: number;
  readonly claimAheadMaxMs: number;
  /** The message is claimed in this version and not written yet. */
  readonly isClaimed: (id: number, version: number) => boolean;
}

/** How long past its time a row waits for its account or host before its tuple is dropped. Milliseconds. */
const SATURATED = 30_000;
/** How long a claim whose answer was lost may still take effect. Milliseconds. */
const UNSURE = 15_000;
/** When a row that a claim left out is claimed again: somebody had it locked. Milliseconds. */
const MISSED = { maxAttempts: Number.POSITIVE_INFINITY, base: 50, cap: 1_000 };

/**
 * Prefetched rows, by id and in wake order, until they are claimed or dropped.
 *
 * 1. *The row as read counts, never the tuple*: what is not waiting any more, or wakes later than the leadMs, is dropped.
 * 2. *A tuple is acked when its row is claimed or dropped*, and not before.
 */
export class HeldRows {
  readonly ahead: ClaimAhead;
  /** Rows in the hands of the bolt, claimed ones as well, and the memory they take. */
  inHand = 0;
  bytes = 0;
  private readonly toClaim: WakeQueue;
  /** Held or being claimed. */
  private readonly rows = new Map<number, HeldRow>();
  /** Not to be claimed any more, once it is known that an earlier claim did not take effect. */
  private unsettled: HeldRow[] = [];

  constructor(private readonly options: HeldRowsOptions) {
    this.ahead = new ClaimAhead(options.claimAheadMaxMs);
    this.toClaim = new WakeQueue(TO_CLAIM, options.slots);
  }

  get size(): number {
    return this.rows.size;
  }

  get nextAt(): number | undefined {
    return this.toClaim.nextAt();
  }

  /** Rows that could be claimed and sent now if there were slots; an upper bound. */
  ready(now: number): number {
    return this.toClaim.readyAt(now);
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

  /**
   * Takes rows as read; those that do not wait any more are dropped.
   * @param asked the tuples that asked for them, by id
   * @returns the accounts of the rows that are held now
   */
  take(rows: readonly SendRow[], asked: ReadonlyMap<number, Delivery<Due>>): Set<string> {
    const { databaseClock, channel, leadMs, isClaimed } = this.options;
    const now = databaseClock.earliest();
    const accounts = new Set<string>();
    for (const row of rows) {
      const delivery = asked.get(row.id);
      if (delivery === undefined) continue;
      const { version, wakeAt } = delivery.tuple.value;
      // The spout's clock may be ahead: what it was right about is kept even if it is early.
      const early = row.version === version && row.wakeAt === wakeAt ? 2 * leadMs + 5_000 : leadMs;
      if (!this.waits(row, early) || isClaimed(row.id, row.version)) continue;
      this.hold(row, contentOf(channel, row), delivery, now);
      accounts.add(row.account);
    }
    for (const [id, { ack }] of asked) if (!this.rows.has(id)) ack();
    return accounts;
  }

  /**
   * Takes out rows to be claimed, in wake order.
   * @param batch gets them
   * @param until their wake at the latest
   */
  takeInto(batch: HeldRow[], until: number, most: number): void {
    const { pauses, channel, slots } = this.options;
    while (batch.length < most) {
      const row = this.toClaim.next(until);
      if (row === undefined) return;
      this.ahead.remove(row.at);
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

  /** The row was won: its tuple is dealt with. */
  won(row: HeldRow): void {
    this.rows.delete(row.id);
    row.delivery.ack();
  }

  /** The row was not won. @param current as it is now; @param unsure the claim may still take effect */
  lost(row: HeldRow, current: SendRow | undefined, unsure: boolean): void {
    const { databaseClock, channel, clock, leadMs, random } = this.options;
    const unsureUntil = unsure ? clock.monotonic() + UNSURE : row.unsureUntil;
    if (row.revoked && unsureUntil === 0) this.letGo(row);
    else if (!this.waits(current, leadMs)) this.drop(row);
    else if (current.version === row.version && current.updatedAt === row.updatedAt) {
      this.holdAgain(row, unsureUntil, backOff(MISSED, row.misses + 1, random()));
    } else {
      this.letGo(row);
      this.hold(current, contentOf(channel, current), row.delivery, databaseClock.earliest());
    }
  }

  /** Something of the row's lane ended. */
  wake(row: HeldRow): void {
    if (this.toClaim.ready === this.toClaim.size) return;
    for (const resource of this.options.slots.resourcesOf(row.lane)) this.toClaim.wake(resource);
  }

  wakeHost(host: Host): void {
    this.toClaim.wakeHost(host);
  }

  /** The row is held no more and its tuple is dealt with. */
  drop(row: HeldRow): void {
    this.letGo(row);
    row.delivery.ack();
  }

  /**
   * Drops what its account or host keeps waiting too long: reconcile brings it back.
   * @returns rows that would be dropped, were it not for a claim whose answer was lost: it may have taken effect by now
   */
  sweep(now: number): readonly HeldRow[] {
    for (const row of this.toClaim.parked()) {
      if (now - row.since <= SATURATED) continue;
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

  /** The row is out of the bolt's hands. */
  release(row: HeldRow): void {
    this.inHand--;
    this.bytes -= row.bytes;
    this.options.slots.leave(row.lane);
  }

  private waits(row: SendRow | undefined, early: number): row is SendRow & { readonly wakeAt: number } {
    if (row?.state !== 'scheduled' || row.wakeAt === null || row.channel !== this.options.channel.name) return false;
    // While nothing is known of the database's clock this is -Infinity, and everything is kept.
    return row.wakeAt - this.options.databaseClock.latest() <= early;
  }

  private isUnsure(row: HeldRow): boolean {
    return row.unsureUntil > this.options.clock.monotonic();
  }

  private hold(
    row: SendRow & { readonly wakeAt: number },
    content: Content,
    delivery: Delivery<Due>,
    now: number,
  ): void {
    const held = heldRow(row, content, this.options.slots.enter(row.account, content.host), delivery, now);
    this.inHand++;
    this.bytes += held.bytes;
    this.put(held);
  }

  private holdAgain(row: HeldRow, unsureUntil: number, delay = 1_000): void {
    this.put(heldAgain(row, this.options.databaseClock.earliest() + delay, unsureUntil));
  }

  private put(row: HeldRow): void {
    this.rows.set(row.id, row);
    this.toClaim.add(row);
    this.ahead.add(row.at);
  }

  /** Takes a waiting row out. */
  private forget(row: HeldRow): void {
    this.takeOut(row);
    this.letGo(row);
  }

  private takeOut(row: HeldRow): void {
    this.toClaim.remove(row);
    this.ahead.remove(row.at);
  }

  private letGo(row: HeldRow): void {
    this.rows.delete(row.id);
    this.release(row);
  }
}
