import type { DatabaseClock } from '../../topology/core/clock';
import type { Lease } from '../../topology/core/lease';
import type { Channel } from '../channel';
import { type HeldRow, isApart } from '../held-row';
import type { ClaimedRows } from '../send/claimed-rows';
import type { SendSlots } from '../slots/send-slots';
import type { ClaimAhead } from './claim-ahead';
import type { Claimer } from './claimer';
import type { HeldRows } from './held-rows';

export interface ClaimPlannerOptions {
  readonly settings: { readonly claimBatch: number; readonly concurrency: number; readonly claimAheadMaxMs: number };
  readonly channel: Channel;
  readonly lease: Lease;
  readonly databaseClock: DatabaseClock;
  readonly slots: SendSlots<HeldRow>;
  readonly ahead: ClaimAhead;
  readonly held: HeldRows;
  readonly claimed: ClaimedRows;
  readonly claimer: Claimer;
  /** Called when an answer came, so that other rows may proceed. */
  readonly advance: () => void;
  /** Takes what shows a mistake in the bolt. */
  readonly onBug: (error: unknown) => void;
}

/** While enough requests are ready, rows that get room are gathered this long to be one claim. */
const GATHER_MS = 25;
/** Accounts that take turns have their next one after this, though claims of others are on the way all the time. */
const MAX_TURN_MS = 100;
/** How long it takes until another task has the partitions of this one and has read what wakes. */
const HAND_OVER_MS = 1_500;

/**
 * Decides what is claimed when.
 *
 * 1. *At the instant, as many as can start soon*: the free slots and one batch on the way, so that neither claims nor
 *    requests wait for round trips; on a blind channel exactly the free slots.
 * 2. *Ahead of it only for a crowd* that could not be claimed in its instant, never before what has woken, never blind; *with what has
 *    woken*, what wakes in the next moment; *and when partitions go to another task*, what wakes before that one can have read it, of
 *    accounts with room for all of it.
 */
export class ClaimPlanner {
  /** How far ahead of its wake the last claim was. */
  aheadMs = 0;
  /** Rows that had woken, in claims on the way. */
  private woken = 0;
  /** When accounts that take turns had their last one, by the database's clock. */
  private turnAt = Number.NEGATIVE_INFINITY;
  /** When the last claim began, by the database's clock. */
  private claimedAt = Number.NEGATIVE_INFINITY;

  constructor(private readonly options: ClaimPlannerOptions) {}

  /** No claim is on the way. */
  get idle(): boolean {
    return this.options.claimer.inFlight === 0;
  }

  /** Claims what may be claimed now. @param now by the database's clock */
  claimAll(now: number): void {
    const { claimer, held, claimed, lease } = this.options;
    const isTurn = claimer.inFlight === 0 || now - this.turnAt >= MAX_TURN_MS;
    if (isTurn) this.turnAt = now;
    held.takeUpResumed(isTurn);
    this.claimMissed(now);
    while (claimer.free && held.size > 0 && !claimed.backlogged && lease.holds()) {
      const batch = this.nextBatch(now);
      if (batch.length === 0) return;
      void this.claim(batch, now).catch(this.options.onBug);
    }
  }

  private claimMissed(now: number): void {
    const { claimer, held, claimed, lease, slots, settings, channel } = this.options;
    const next = held.nextMissedAt;
    if (next === undefined || next > now || !claimer.isFreeForMissed || claimed.backlogged || !lease.holds()) return;
    const batch: HeldRow[] = [];
    const room = channel.class === 'blind' ? settings.concurrency - slots.used : settings.claimBatch;
    slots.nextBatch(now);
    held.takeMissedInto(batch, now, Math.min(room, settings.claimBatch));
    if (batch.length > 0) void this.claim(batch, now).catch(this.options.onBug);
  }

  /** Takes rows that are to be dropped, but whose earlier claim may have taken effect. Then they are sent all the same. */
  async recall(rows: readonly HeldRow[]): Promise<void> {
    const { claimer, slots, held, claimed, databaseClock, advance } = this.options;
    const { won, others } = await claimer.recall(rows);
    for (const row of won) {
      slots.take(row);
      held.won(row);
      claimed.add(row, databaseClock.earliest());
    }
    for (const { row } of others) held.drop(row);
    advance();
  }

  /**
   * Claims what wakes while another task takes partitions over. A crowd is left to it, and so are accounts that could not begin
   * all they have, because the two would start their messages side by side. Ends when the claim was answered.
   */
  async claimForHandOver(now: number): Promise<void> {
    const { settings, channel, slots, held, claimed, lease } = this.options;
    const until = now + Math.min(HAND_OVER_MS, settings.claimAheadMaxMs);
    if (until <= now || claimed.backlogged || !lease.holds()) return;
    // Elsewhere a worker that dies meanwhile leaves messages in doubt that it had not begun, and doubt takes long there.
    if (channel.class !== 'idempotent') return;
    slots.nextBatch(now);
    const batch = held.takeRevoked(until, settings.claimBatch, slots.free - claimed.waiting);
    if (batch.length > 0) await this.claim(batch, now);
  }

  private nextBatch(now: number): readonly HeldRow[] {
    const { slots, held, ahead, settings } = this.options;
    const room = this.room(now);
    const horizon = ahead.horizon(now);
    if (room <= 0 && horizon <= now) return [];
    const batch: HeldRow[] = [];
    slots.nextBatch(now);
    if (room > 0) held.takeInto(batch, now, room);
    const next = slots.toClaim.nextAt();
    const until = batch.length > 0 ? Math.max(horizon, ahead.soon(now)) : horizon;
    if (until > now && next !== undefined && next > now) held.takeInto(batch, until, settings.claimBatch);
    return batch;
  }

  /**
   * How many rows may be claimed at their instant. While rows are on the way, a few more wait until they are worth a claim: a
   * claim costs a commit, and of a crowd's large accounts only as many rows get room as their requests end.
   */
  private room(now: number): number {
    const { settings, channel, slots } = this.options;
    const { claimBatch, concurrency } = settings;
    const onTheWay = slots.toStart.readyAt(now) + this.woken;
    const room = channel.class === 'blind' ? concurrency - slots.used : slots.free + claimBatch - onTheWay;
    if (onTheWay > 0 && room < Math.min(claimBatch, concurrency) / 2) return 0;
    if (slots.isCrowded && slots.toStart.size > concurrency / 2 && now - this.claimedAt < GATHER_MS) return 0;
    return Math.min(claimBatch, room);
  }

  private async claim(batch: readonly HeldRow[], now: number): Promise<void> {
    const { claimer, slots, held, claimed, databaseClock, advance } = this.options;
    let woken = 0;
    let last = now;
    for (const row of batch) {
      if (row.at <= now) woken++;
      else last = Math.max(last, row.wakeAt);
    }
    this.aheadMs = Math.ceil(last - now);
    this.claimedAt = now;
    this.woken += woken;
    const isMissed = batch[0] !== undefined && isApart(batch[0]);
    try {
      const { won, others, refused, unsure } = await claimer.claim(batch, this.aheadMs).finally(() => {
        this.woken -= woken;
      });
      const then = databaseClock.earliest();
      for (const row of won) {
        held.won(row);
        claimed.add(row, then);
      }
      for (const { row, now: current } of others) {
        slots.release(row);
        held.lost(row, current, unsure);
      }
      for (const row of refused) {
        slots.release(row);
        held.refused(row);
      }
      if (!isMissed) slots.batchEnded(batch);
    } finally {
      advance();
    }
  }
}
