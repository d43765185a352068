import type { Delivery } from '../../topology/core/bolt';
import type { Clock, DatabaseClock } from '../../topology/core/clock';
import type { Pauses } from '../../topology/core/pauses';
import type { Due } from '../../topology/streams';
import type { Channel } from '../channel';
import { contentOf, type HeldRow, heldAgain, isApart, replaceDelivery } from '../held-row';
import type { InHand } from '../in-hand';
import type { LimitGates } from '../send/limit-gates';
import type { SendRow } from '../send-rows';
import { TO_CLAIM } from '../slots/line';
import type { SendSlots } from '../slots/send-slots';
import type { WakeQueue } from '../slots/wake-queue';
import type { ClaimAhead } from './claim-ahead';
import { accountsToHandOver } from './hand-over';
import type { LateRows } from './late-rows';
import { MissedRows } from './missed-rows';
import { PausedRows } from './paused-rows';

export interface HeldRowsOptions {
  readonly channel: Channel;
  readonly inHand: InHand;
  readonly slots: SendSlots<HeldRow>;
  readonly ahead: ClaimAhead;
  readonly lateRows: LateRows;
  readonly pauses: Pauses;
  readonly gates: LimitGates;
  readonly clock: Clock;
  readonly databaseClock: DatabaseClock;
  readonly random: () => number;
  /** How long before its wake a message is emitted. */
  readonly leadMs: number;
  /** Has the row of a tuple read again, because its plan has changed. */
  readonly readAgain: (delivery: Delivery<Due>) => void;
}

/** How long past its time a row waits for its account or origin, or for the end of a pause, before it is dropped. */
const MAX_WAIT_MS = 30_000;
/** How long a claim whose answer was lost may still take effect. */
export const UNSURE_MS = 15_000;
/** When a row is claimed again after a claim without an answer. */
const UNSURE_RETRY_MS = 100;
/** When a missed row without room is looked at again, and how many are looked at before others have their turn. */
const LOOK_AGAIN_MS = 100;
const MAX_LOOKS_PER_CALL = 500;
/** So many rows are put aside for a pause before everything else has its turn. */
const MAX_PUT_ASIDE_PER_CALL = 2_000;
/** Payloads of one batch: an update logs a row twice, and a replication group refuses transactions of more than 150 MB. */
const MAX_BATCH_BYTES = 32 * 1024 * 1024;

/**
 * Prefetched rows, by id and in wake order, until they are claimed or dropped.
 *
 * 1. *The row as read counts, never the tuple*: a row that does not wait any more, or wakes later than the lead, is dropped.
 * 2. *A tuple is acked when its row is claimed or dropped*, or put aside for a pause, and not before.
 * 3. *The messages of an account do not overtake each other at the end of a pause*: what wakes in it waits here for half a
 *    minute. A spout may have seen the end sooner than we do, and have emitted what woke later.
 * 4. *A paused account holds no partition*: its tuples are acked while its rows wait, because Kafka hears of no ack of what is
 *    behind them before, and spouts emit no more to accounts of which too much is not acked. Reconcile finds the rows.
 * 5. *An account at a limit is paused until it may go on*: what may begin soon waits here in its order, and the rest goes at once, because
 *    spouts know when to emit it again.
 */
export class HeldRows {
  private readonly toClaim: WakeQueue<HeldRow>;
  private readonly missed: MissedRows;
  private readonly paused: PausedRows;
  /** The last call of `takeInto` put so many rows aside that it gave up. */
  private gaveUp = false;
  /** Held or being claimed. */
  private readonly rows = new Map<number, HeldRow>();
  /** Rows that are not to be claimed any more, and whose earlier claim may still take effect. */
  private unsettled: HeldRow[] = [];

  constructor(private readonly options: HeldRowsOptions) {
    this.toClaim = options.slots.toClaim;
    this.missed = new MissedRows(options.random);
    const { pauses, gates, channel } = options;
    this.paused = new PausedRows((account) => pauses.paused(channel.name, account) || gates.isClosed(account));
  }

  get size(): number {
    return this.rows.size;
  }

  /** When the next missed row may be claimed. */
  get nextMissedAt(): number | undefined {
    return this.missed.nextAt;
  }

  /** @returns true when the row is at hand and the tuple says nothing new */
  again(delivery: Delivery<Due>): boolean {
    const { id, version } = delivery.tuple.value;
    const row = this.rows.get(id);
    if (row === undefined) return false;
    row.delivery = replaceDelivery(row.delivery, delivery);
    row.revoked = false;
    // What was put aside holds no partition, however often it is emitted.
    if (this.paused.has(row) && row.version >= version) delivery.ack();
    // A row that is being claimed is read again if it is not won.
    if (!this.isWaiting(row) || row.version >= version) return true;
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

  /**
   * Takes a row as read, or drops it when it is not wanted.
   * @param since from when its time to wait counts, if it waited for room in memory before
   * @returns true when it is held
   */
  take(row: SendRow, delivery: Delivery<Due>, since?: number): boolean {
    const { clock, databaseClock, channel, inHand } = this.options;
    if (this.isWanted(row, delivery)) {
      const now = databaseClock.earliest();
      const held = inHand.take(row, contentOf(channel, row), delivery, since ?? now);
      const returning = this.missed.returning(row, clock.monotonic());
      // A wake that is still ahead is not put off: the lock may be gone by then.
      const at = row.wakeAt > now ? row.wakeAt : now + (returning?.delayMs ?? 0);
      const its = returning === undefined ? held : heldAgain(held, at, returning.misses, 0);
      if (this.isLate(its)) this.settle(its);
      else this.put(its);
      return true;
    }
    delivery.ack();
    return false;
  }

  /**
   * What waited for the end of a pause waits among all others again, some accounts at each call: their later rows come behind it.
   * @param isTurn accounts that take turns, because a limit is one of all of them, have their next one
   */
  takeUpResumed(isTurn = true): void {
    const { databaseClock, gates } = this.options;
    if (gates.areShared && !isTurn) return;
    const now = databaseClock.earliest();
    for (const row of this.paused.takeResumed(gates.areShared)) {
      row.since = Math.max(row.since, now);
      this.put(row);
    }
  }

  /** Says, once, that rows were left to be put aside for a pause, or taken up after it, by the next call. */
  hasMore(): boolean {
    const { gaveUp } = this;
    this.gaveUp = false;
    return this.paused.hasMore() || gaveUp;
  }

  /**
   * Takes out rows to be claimed, in wake order.
   * @param batch gets them, up to `maxRows`
   * @param until their wake at the latest
   */
  takeInto(batch: HeldRow[], until: number, maxRows: number): void {
    const { slots, ahead } = this.options;
    let bytes = batch.reduce((sum, row) => sum + row.bytes, 0);
    let aside = 0;
    this.gaveUp = false;
    while (batch.length < maxRows && bytes < MAX_BATCH_BYTES) {
      const row = this.toClaim.next(until);
      if (row === undefined) return;
      ahead.remove(row.at);
      if (!this.mayClaim(row)) {
        this.gaveUp = ++aside === MAX_PUT_ASIDE_PER_CALL;
        if (this.gaveUp) return;
        continue;
      }
      slots.reserve(row);
      batch.push(row);
      bytes += row.bytes;
    }
  }

  /**
   * Takes out rows to be claimed apart from all others: suspects, or rows that earlier claims left out. Such rows have lost
   * their place in the order of their account, so they keep no other batch of it waiting.
   */
  takeMissedInto(batch: HeldRow[], now: number, maxRows: number): void {
    const { slots, inHand } = this.options;
    const { missed } = this;
    const withoutRoom: HeldRow[] = [];
    let bytes = 0;
    const suspects = missed.areSuspectsNext(inHand.claimedSuspects);
    for (let looked = 0; looked < MAX_LOOKS_PER_CALL && batch.length < maxRows && bytes < MAX_BATCH_BYTES; looked++) {
      const row = suspects ? missed.nextSuspect(now, inHand.claimedSuspects + batch.length) : missed.nextLeftOut(now);
      if (row === undefined) break;
      if (this.isPaused(row) || slots.blocker(row, TO_CLAIM) !== undefined) {
        withoutRoom.push(row);
        continue;
      }
      slots.take(row);
      batch.push(row);
      bytes += row.bytes;
    }
    for (const row of withoutRoom) {
      if (now - row.since > MAX_WAIT_MS) this.giveUp(row);
      else this.put(heldAgain(row, now + LOOK_AGAIN_MS, row.misses, row.unsureUntil));
    }
  }

  /** The row was won, so its tuple is acked. */
  won(row: HeldRow): void {
    this.rows.delete(row.id);
    this.missed.forgetDropped(row.id);
    row.delivery.ack();
  }

  /** The row was not won. @param current as it is now; @param unsure the claim may still take effect */
  lost(row: HeldRow, current: SendRow | undefined, unsure: boolean): void {
    const { clock, leadMs, readAgain } = this.options;
    const unsureUntil = unsure ? clock.monotonic() + UNSURE_MS : row.unsureUntil;
    if (row.revoked && unsureUntil === 0) this.letGo(row);
    else if (!this.waits(current, leadMs)) this.drop(row);
    else if (current.version === row.version && current.updatedAt === row.updatedAt) {
      this.claimAgain(row, unsure, unsureUntil);
    } else {
      this.letGo(row);
      readAgain(row.delivery);
    }
  }

  /** A limit does not let the row begin now. */
  refused(row: HeldRow): void {
    if (row.revoked && row.unsureUntil === 0) {
      this.letGo(row);
      return;
    }
    row.since = Math.max(row.since, this.options.databaseClock.earliest());
    this.putAside(row);
  }

  /** The row is held no more, and its tuple is acked. */
  drop(row: HeldRow): void {
    this.letGo(row);
    row.delivery.ack();
  }

  /**
   * Drops rows that waited too long for their account or origin, or in a pause, because reconcile brings them back.
   * @param hasRoom false: nothing more is taken in for anybody, so what is paused goes at once
   * @returns rows to be dropped whose earlier claim may have taken effect, though its answer was lost
   */
  sweep(now: number, hasRoom: boolean): readonly HeldRow[] {
    for (const row of this.toClaim.parked((one) => now - one.since > MAX_WAIT_MS)) {
      this.takeOut(row);
      this.giveUp(row);
    }
    const since = now - MAX_WAIT_MS;
    for (const row of this.paused.takeSince(hasRoom ? since : now)) this.giveUp(row);
    for (let row = this.missed.nextSuspectSince(since); row !== undefined; row = this.missed.nextSuspectSince(since)) {
      this.giveUp(row);
    }
    const settled = this.unsettled.filter((row) => !this.isUnsure(row));
    this.unsettled = this.unsettled.filter((row) => this.isUnsure(row));
    return settled;
  }

  /** Tuples of these partitions belong to another task; all when undefined. Until `letGoRevoked` their rows can be claimed. */
  revoke(partitions?: ReadonlySet<number>): void {
    for (const row of this.rows.values()) {
      if (partitions === undefined || partitions.has(row.delivery.tuple.partition)) row.revoked = true;
    }
  }

  /** A claim without an answer may still make one of them ours. */
  get hasUnsure(): boolean {
    return [...this.rows.values()].some((row) => row.unsureUntil > 0);
  }

  /** The bolt drains: what an earlier claim may still make ours is claimed no more, and looked for when that is over. */
  awaitUnsure(): void {
    for (const row of this.rows.values()) {
      if (row.unsureUntil === 0 || !this.isWaiting(row)) continue;
      this.takeOut(row);
      this.unsettled.push(row);
    }
  }

  /** Forgets revoked tuples, without ack. Rows that are being claimed are finished. */
  letGoRevoked(): void {
    for (const row of this.rows.values()) {
      if (row.revoked && this.isWaiting(row) && row.unsureUntil === 0) this.forget(row);
    }
  }

  /** Takes out what wakes up to this time in revoked partitions and is to be claimed before another task has it. */
  takeRevoked(until: number, maxRows: number, room: number): readonly HeldRow[] {
    const { slots, ahead } = this.options;
    this.takeUpResumed();
    const waking = [...this.rows.values()].filter(({ revoked, at }) => revoked && at <= until);
    const mayBegin = (account: string, rows: readonly HeldRow[]) =>
      !this.isPaused({ account }) && slots.canAllBegin(rows);
    const taken = accountsToHandOver(waking, { mayBegin, maxRows, maxBytes: MAX_BATCH_BYTES, room });
    for (const row of taken) {
      this.toClaim.remove(row);
      ahead.remove(row.at);
      slots.reserve(row);
    }
    return taken;
  }

  /** Holds a row again that still waits as it was read. */
  private claimAgain(row: HeldRow, unsure: boolean, unsureUntil: number): void {
    const now = this.options.databaseClock.earliest();
    // A claim without an answer says nothing about locks.
    const misses = unsure ? row.misses : row.misses + 1;
    const delayMs = misses === 0 ? UNSURE_RETRY_MS : this.missed.delayAfter(misses);
    // The outage that took the answer may have lasted for longer than a row is to wait, so one claim more is made after it.
    const isFirstUnsure = unsure && row.unsureUntil === 0;
    if (delayMs !== undefined && (isFirstUnsure || now - row.since <= MAX_WAIT_MS)) {
      this.put(heldAgain(row, now + delayMs, misses, unsureUntil));
      return;
    }
    if (!unsure) this.missed.rememberDropped(row, this.options.clock.monotonic());
    this.giveUp(unsureUntil === row.unsureUntil ? row : heldAgain(row, now, misses, unsureUntil));
  }

  /** It is settled without a claim: it is too late, or newer ones of a backlog go first. */
  private isLate(row: HeldRow): boolean {
    const { lateRows, databaseClock } = this.options;
    return lateRows.isLate(row) && row.at <= databaseClock.earliest() && !this.isPaused(row);
  }

  private settle(row: HeldRow): void {
    this.rows.set(row.id, row);
    this.options.lateRows.add(row, (isOver) => {
      if (isOver) this.drop(row);
      else if (row.revoked) this.letGo(row);
      else this.put(row);
    });
  }

  /** Rows that may not be claimed are put aside, or settled when they are too late. */
  private mayClaim(row: HeldRow): boolean {
    const isLate = this.isLate(row);
    const isPaused = this.isPaused(row);
    // Others of a resumed account that woke before it may not have been taken up yet.
    if (!isLate && !isPaused && (row.unsureUntil > 0 || !this.paused.wouldPass(row))) return true;
    this.options.slots.passOn(row);
    if (isLate) {
      this.settle(row);
      return false;
    }
    this.putAside(row);
    return false;
  }

  private putAside(row: HeldRow): void {
    // An earlier claim of it may still take effect, and is looked for when that is over. What the spout knows of better goes too.
    if (row.unsureUntil > 0 || this.options.gates.isClosedForLong(row.account)) {
      this.giveUp(row);
      return;
    }
    row.delivery.ack();
    this.paused.add(row);
  }

  private isPaused({ account }: Pick<HeldRow, 'account'>): boolean {
    const { pauses, channel, gates } = this.options;
    return pauses.paused(channel.name, account) || gates.isClosed(account);
  }

  /** It waits to be claimed, and no claim of it is under way. */
  private isWaiting(row: HeldRow): boolean {
    return row.queue !== undefined || row.isMissed || this.paused.has(row);
  }

  /** Drops a row that waits nowhere; first it is read again if an earlier claim of it may still take effect. */
  private giveUp(row: HeldRow): void {
    if (row.unsureUntil === 0) {
      this.drop(row);
      return;
    }
    this.rows.set(row.id, row);
    this.unsettled.push(row);
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
    if (isApart(row)) {
      this.missed.add(row);
      return;
    }
    this.toClaim.add(row);
    this.options.ahead.add(row.at);
  }

  /** Takes a waiting row out. */
  private forget(row: HeldRow): void {
    this.takeOut(row);
    this.letGo(row);
  }

  private takeOut(row: HeldRow): void {
    if (this.paused.remove(row)) return;
    if (row.isMissed) {
      this.missed.remove(row);
      return;
    }
    this.toClaim.remove(row);
    this.options.ahead.remove(row.at);
  }

  private letGo(row: HeldRow): void {
    this.rows.delete(row.id);
    this.options.inHand.letGo(row);
  }
}
