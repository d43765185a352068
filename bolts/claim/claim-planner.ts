import type { DatabaseClock } from '../../topology/core/clock';
import type { Lease } from '../../topology/core/lease';
import type { Channel } from '../channel';
import type { HeldRow } from '../held-row';
import type { ClaimedRows } from '../send/claimed-rows';
import type { SendSlots } from '../slots/send-slots';
import type { Claimer } from './claimer';
import type { HeldRows } from './held-rows';

export interface ClaimPlannerOptions {
  readonly settings: { readonly claimBatch: number; readonly concurrency: number };
  readonly channel: Channel;
  readonly lease: Lease;
  readonly databaseClock: DatabaseClock;
  readonly slots: SendSlots;
  readonly holding: HeldRows;
  readonly sending: ClaimedRows;
  readonly claims: Claimer;
  /** An answer came, so others may go on. */
  readonly onClaimed: () => void;
}

/** While requests enough are ready, rows that become free gather this long to be one claim. Milliseconds. */
const GATHER = 25;

/**
 * Decides what is claimed when.
 *
 * 1. *At the instant, as many as can start soon*: the free slots and one batch on the way, so that neither claims nor
 *    requests wait for round trips; on a blind channel exactly the free slots.
 * 2. *Ahead of it only for a crowd* that could not be claimed in its instant, never before what has woken, never blind.
 */
export class ClaimPlanner {
  /** How far ahead of its wake the last claim was, milliseconds. */
  ahead = 0;
  /** Rows in claims on the way that had woken. */
  private woken = 0;
  /** When the last claim began, by the database's clock. */
  private claimedAt = Number.NEGATIVE_INFINITY;

  constructor(private readonly options: ClaimPlannerOptions) {}

  /** No answer is waited for. */
  get idle(): boolean {
    return this.options.claims.inFlight === 0;
  }

  /** @param now by the database's clock */
  go(now: number): void {
    const { claims, holding, sending, lease } = this.options;
    while (claims.free && holding.size > 0 && !sending.backlogged && lease.holds()) {
      const batch = this.nextBatch(now);
      if (batch.length === 0) return;
      void this.claim(batch, now);
    }
  }

  /** Rows that would be dropped, but an earlier claim of them may have taken effect: then they are ours all the same. */
  async recall(rows: readonly HeldRow[]): Promise<void> {
    const { claims, slots, holding, sending, databaseClock, onClaimed } = this.options;
    const { won, others } = await claims.recall(rows);
    for (const row of won) {
      slots.nextBatch();
      slots.reserve(row);
      slots.batchEnded([row]);
      holding.won(row);
      sending.add(row, databaseClock.earliest());
    }
    for (const { row } of others) holding.drop(row);
    onClaimed();
  }

  private nextBatch(now: number): readonly HeldRow[] {
    const { slots, holding, settings } = this.options;
    const room = this.room(now);
    const horizon = holding.ahead.horizon(now);
    if (room <= 0 && horizon <= now) return [];
    const batch: HeldRow[] = [];
    slots.nextBatch();
    if (room > 0) holding.takeInto(batch, now, room);
    const next = holding.nextAt;
    if (horizon > now && next !== undefined && next > now) holding.takeInto(batch, horizon, settings.claimBatch);
    return batch;
  }

  /**
   * Rows that may be claimed at their instant. While some are on the way, small change waits until it is worth a claim: a
   * claim costs a commit, and of a crowd's large accounts only as much becomes free as their requests end.
   */
  private room(now: number): number {
    const { settings, channel, slots, sending } = this.options;
    const { claimBatch, concurrency } = settings;
    const onTheWay = sending.ready(now) + this.woken;
    const room = channel.class === 'blind' ? concurrency - slots.used : slots.free + claimBatch - onTheWay;
    if (onTheWay > 0 && room < Math.min(claimBatch, concurrency) / 2) return 0;
    if (slots.isCrowded && sending.waiting > concurrency / 2 && now - this.claimedAt < GATHER) return 0;
    return Math.min(claimBatch, room);
  }

  private async claim(batch: readonly HeldRow[], now: number): Promise<void> {
    const { claims, slots, holding, sending, databaseClock, onClaimed } = this.options;
    let woken = 0;
    let last = now;
    for (const row of batch) {
      if (row.at <= now) woken++;
      else last = Math.max(last, row.wakeAt);
    }
    this.ahead = Math.ceil(last - now);
    this.claimedAt = now;
    this.woken += woken;
    const { won, others, unsure } = await claims.claim(batch, this.ahead);
    this.woken -= woken;
    slots.batchEnded(batch);
    const then = databaseClock.earliest();
    for (const row of won) {
      holding.won(row);
      sending.add(row, then);
    }
    for (const { row, now: current } of others) {
      slots.release(row);
      holding.lost(row, current, unsure);
    }
    for (const row of batch) holding.wake(row);
    onClaimed();
  }
}
