import type { Bolt, Delivery } from '../topology/core/bolt';
import type { Clock, DatabaseClock, Timer } from '../topology/core/clock';
import type { LatenessPolicy } from '../topology/core/lateness';
import type { Lease } from '../topology/core/lease';
import { type Limits, maxAheadMs } from '../topology/core/limits';
import type { Pauses } from '../topology/core/pauses';
import type { RetryPolicy } from '../topology/core/retry-policy';
import type { Gauges } from '../topology/gauges';
import type { Due } from '../topology/streams';
import type { AccountRefreshes } from './account-refreshes';
import type { Channel } from './channel';
import { ClaimAhead } from './claim/claim-ahead';
import { ClaimPlanner } from './claim/claim-planner';
import { Claimer } from './claim/claimer';
import { HeldRows } from './claim/held-rows';
import { LateRows } from './claim/late-rows';
import { Prefetch } from './claim/prefetch';
import type { HeldRow } from './held-row';
import { InHand } from './in-hand';
import { ReadyAhead } from './ready/ready-ahead';
import type { ReadyRows } from './ready-rows';
import { RefreshWatch } from './refresh-watch';
import { RetryUntilDone } from './retry-until-done';
import { ClaimedRows } from './send/claimed-rows';
import { Lateness } from './send/lateness';
import { LimitGates } from './send/limit-gates';
import type { SendLimits } from './send-limits';
import type { SendRows } from './send-rows';
import { SendSlots } from './slots/send-slots';

/** Times are milliseconds. */
export interface SendBoltSettings {
  /** Requests in flight: in all, of one account, to one origin. */
  readonly concurrency: number;
  readonly perAccount: number;
  readonly perOrigin: number;
  /** Rows of one claim, at most. */
  readonly claimBatch: number;
  /** How long before its wake a row may be claimed when many wake at one instant; 0 switches it off. */
  readonly claimAheadMaxMs: number;
  /** Rows that are held, and the memory they take in bytes. */
  readonly maxHeld: number;
  readonly maxHeldBytes: number;
  /** How long before its wake a message is emitted. */
  readonly leadMs: number;
  /** The same of what can be made ready before it; 0 makes nothing ready. */
  readonly readyAheadMs: number;
}

export interface SendBoltOptions {
  readonly channel: Channel;
  readonly settings: SendBoltSettings;
  readonly retry: RetryPolicy;
  /** Of messages that say nothing themselves. */
  readonly lateness: LatenessPolicy;
  /** Of the channel's accounts, and of all of them together; undefined where none is known. */
  readonly limits?: Limits | undefined;
  readonly rows: SendRows;
  /** Undefined where nothing is made ready before its instant. */
  readonly readyRows?: ReadyRows | undefined;
  /** Undefined where no table is at hand: then limits hold for nobody. */
  readonly sendLimits?: SendLimits | undefined;
  /** Undefined where nobody refreshes credentials. */
  readonly refreshes?: AccountRefreshes | undefined;
  readonly lease: Lease;
  readonly pauses: Pauses;
  readonly clock: Clock;
  readonly databaseClock: DatabaseClock;
  /** Of the database whose messages are sent, 32 hex digits; known when the worker runs. */
  readonly deploymentId: () => string;
  /** In [0, 1), for jitter. */
  readonly random: () => number;
  /** Takes what could not be done, and why. It is tried again where that helps. */
  readonly onError: (what: string, error: unknown) => void;
  /** Takes what shows a mistake in the bolt: its worker has to end, and the bolt drains all the same. */
  readonly onBug: (error: unknown) => void;
}

/** While anything waits, the clock and the lease are looked at this often, because both move by messages from elsewhere. */
const LOOK_EVERY_MS = 100;
const SWEEP_EVERY_MS = 1_000;
/**
 * While it drains a bolt tries for so long to start what has woken. What it had claimed ahead has so much time from its wake on: given
 * back, it would be late. What was started and has begun no request by then, because it has images to upload, is given back too.
 * Together with claimAheadMax, the longest time-out of a request, and as much again for writing outcomes, this is the limit for
 * draining.
 */
const DRAIN_STARTS_MS = 1_000;
/**
 * Claims stop while so many full batches of outcomes are unwritten, so that a slow database is not outrun; and no more than
 * half of the rows that may be held, so that outcomes which wait to be written leave room.
 */
const MAX_UNWRITTEN_BATCHES = 40;

/**
 * Sends the messages of one channel at their wake. A message passes five stages here:
 *
 *     prefetch ──▶ hold ──▶ claim ──▶ send ──▶ write back
 *
 *     prefetch     claim/prefetch       reads the rows of tuples in batches
 *     hold         claim/held-rows      keeps them in wake order until they may be claimed; claim/late-rows settles what is late
 *     claim        claim/claim-planner  decides which rows are claimed when; claim/claimer claims those that limits allow (send/limit-gates),
 *                                       and the tuple is acked
 *     send         send/claimed-rows    starts claimed rows at their wake; send/attempts makes the request
 *     write back   send/write-back      writes outcomes to the row and to the ledger, in batches; in a crowd first to the ledger (send/journal)
 *
 * Where a channel has something to do before its last call that nobody sees, such as an upload, ready/ready-ahead does it beside these
 * stages, some time before the wake.
 *
 * `slots` decides who may claim and start how much, and owns the queues of both. `in-hand` counts all rows of all stages.
 *
 * 1. *No request that can become visible without a committed claim on the row, in the very version that was read.*
 * 2. *Never early*: the request starts at or after the wake by the database's clock.
 * 3. *A zombie cannot send or write*: past its lease it stops before the next request, and its write-back names its session.
 * 4. *Doubt is never hidden*: an attempt that may have been accepted ends in a row that says so.
 * 5. *One slow account, host or provider holds nobody else.*
 */
export class SendBolt implements Bolt<Due> {
  private readonly slots: SendSlots<HeldRow>;
  private readonly inHand: InHand;
  private readonly ahead: ClaimAhead;
  private readonly persistence: RetryUntilDone;
  private readonly prefetch: Prefetch;
  private readonly lateRows: LateRows;
  private readonly gates: LimitGates;
  private readonly held: HeldRows;
  private readonly claimed: ClaimedRows;
  private readonly planner: ClaimPlanner;
  private readonly refreshWatch: RefreshWatch | undefined;
  private readonly readyAhead: ReadyAhead | undefined;
  private timer: { readonly at: number; readonly timer: Timer } | undefined;
  private sweeper: Timer | undefined;
  private closed = false;
  /** Set while the bolt drains. Called when nothing is under way any more. */
  private drained: (() => void) | undefined;
  /** While it drains: called when no claimed row waits for room. */
  private onBegun: (() => void) | undefined;
  /** Claims of what wakes while others take partitions over. */
  private handingOver = 0;
  /** When draining began, on the monotonic clock. */
  private drainingSince = Number.POSITIVE_INFINITY;

  constructor(private readonly options: SendBoltOptions) {
    const { channel, lease, refreshes, limits } = options;
    // Requests that were allowed one after the other would begin together.
    const most = limits === undefined ? Number.POSITIVE_INFINITY : maxAheadMs(limits);
    const settings = { ...options.settings, claimAheadMaxMs: Math.min(options.settings.claimAheadMaxMs, most) };
    const { refresh } = channel;
    if (refresh !== undefined && refreshes !== undefined) {
      this.refreshWatch = new RefreshWatch({ ...options, refresh, refreshes, session: lease.session });
    }
    const isBlind = channel.class === 'blind';
    const maxUnwritten = Math.min(MAX_UNWRITTEN_BATCHES * settings.claimBatch, Math.ceil(settings.maxHeld / 2));
    const goesAlone = (account: string) => this.gates.goesAlone(account);
    this.slots = new SendSlots({ ...settings, exact: isBlind, goesAlone });
    this.inHand = new InHand(this.slots, settings.maxHeldBytes);
    this.ahead = new ClaimAhead(isBlind ? 0 : settings.claimAheadMaxMs);
    this.persistence = new RetryUntilDone(options);
    const advance = () => this.advance();
    this.gates = new LimitGates({ ...options, limits: options.limits, sendLimits: options.sendLimits });
    const { slots, inHand, ahead, persistence, gates } = this;
    const late = new Lateness(options.lateness, options.databaseClock);
    const shared = {
      ...options,
      settings,
      session: lease.session,
      slots,
      inHand,
      ahead,
      persistence,
      gates,
      late,
      advance,
    };
    this.lateRows = new LateRows(shared);
    const readAgain = (delivery: Delivery<Due>) => this.prefetch.add(delivery);
    this.held = new HeldRows({ ...shared, lateRows: this.lateRows, leadMs: settings.leadMs, readAgain });
    this.prefetch = new Prefetch({ ...shared, held: this.held, onHeld: (accounts) => this.onHeld(accounts) });
    const maxJournaledBytes = Math.ceil(settings.maxHeldBytes / 2);
    this.claimed = new ClaimedRows({ ...shared, maxUnwritten, maxJournaledBytes });
    const claimer = new Claimer(shared);
    this.planner = new ClaimPlanner({ ...shared, held: this.held, claimed: this.claimed, claimer });
    const { readying } = channel;
    const { readyRows } = options;
    if (readying !== undefined && readyRows !== undefined && settings.readyAheadMs > 0) {
      this.readyAhead = new ReadyAhead({ ...options, ...settings, readying, readyRows, gates });
    }
  }

  async open(): Promise<void> {
    this.sweeper = this.options.clock.after(SWEEP_EVERY_MS, () => this.sweep());
    this.refreshWatch?.open();
    this.readyAhead?.open();
  }

  execute(deliveries: readonly Delivery<Due>[]): void {
    if (this.drained !== undefined || this.closed) return;
    for (const delivery of deliveries) {
      if (!this.held.again(delivery)) this.prefetch.add(delivery);
    }
    this.prefetch.go();
  }

  hasRoom(): boolean {
    const { maxHeld, maxHeldBytes } = this.options.settings;
    const rows = this.inHand.rows + this.prefetch.size;
    return rows < maxHeld && this.inHand.bytes + this.prefetch.expectedBytes < maxHeldBytes;
  }

  revoked(partitions: readonly number[]): void {
    const set = new Set(partitions);
    this.prefetch.forget(set);
    this.held.revoke(set);
    void this.handOver().catch(this.options.onBug);
  }

  async drain(onBegun?: () => void): Promise<void> {
    this.readyAhead?.stop();
    // New credentials that are not written would be lost.
    await Promise.all([this.drainMessages(onBegun), this.refreshWatch?.drain()]);
  }

  private drainMessages(onBegun: (() => void) | undefined): Promise<void> {
    return new Promise((resolve) => {
      this.onBegun = onBegun;
      this.drained = resolve;
      this.drainingSince = this.options.clock.monotonic();
      // Whatever one of these throws, what is claimed is finished.
      for (const step of [() => this.prefetch.forget(), () => this.held.revoke(), () => this.claimed.hurry()]) {
        try {
          step();
        } catch (error) {
          this.options.onBug(error);
        }
      }
      void this.handOver().catch(this.options.onBug);
    });
  }

  async close(): Promise<void> {
    this.closed = true;
    this.readyAhead?.stop();
    this.persistence.end();
    this.refreshWatch?.close();
    this.claimed.close();
    this.sweeper?.cancel();
    this.timer?.timer.cancel();
    this.timer = undefined;
  }

  gauges(): Gauges {
    return {
      held: this.held.size + this.prefetch.size,
      held_bytes: this.inHand.bytes,
      claimed_waiting: this.claimed.waiting,
      in_flight: this.slots.inFlight,
      unwritten: this.claimed.unwritten,
      journaled: this.claimed.journaled,
      claim_ahead_ms: Math.round(this.planner.aheadMs),
      slow_lanes: this.slots.slowLanes,
      ...(this.readyAhead === undefined ? {} : { making_ready: this.readyAhead.size }),
    };
  }

  private onHeld(accounts: ReadonlySet<string>): void {
    if (this.drained !== undefined || this.closed) return;
    if (accounts.size > 0) void this.warm([...accounts]);
    this.advance();
  }

  /** A help, not a condition: the channel loads what it lacks when it sends. */
  private async warm(accounts: readonly string[]): Promise<void> {
    try {
      await this.options.channel.warm(accounts);
    } catch (error) {
      this.options.onError('warm accounts', error);
    }
  }

  /**
   * Starts and claims whatever can proceed now, then sets the timer for the next moment at which that changes by itself.
   */
  private advance(): void {
    if (this.closed) return;
    const now = this.options.databaseClock.earliest();
    try {
      this.slots.letSilentGo(this.options.clock.monotonic());
      if (this.mayStart()) this.claimed.start(now);
      if (this.drained === undefined) this.planner.claimAll(now);
      this.prefetch.go();
    } finally {
      // Whatever was thrown, the other rows go on, and a drain ends.
      if (this.drained !== undefined) this.finishDrain(now);
      this.setTimer(now);
    }
  }

  /** What is only held is not acked, so it comes to whichever task has the partition next. */
  private async handOver(): Promise<void> {
    this.handingOver++;
    try {
      const claiming = this.planner.claimForHandOver(this.options.databaseClock.earliest());
      try {
        // What is being claimed stays; everything else is the next owner's at once.
        this.held.letGoRevoked();
      } finally {
        await claiming;
      }
    } catch (error) {
      this.options.onBug(error);
    }
    this.handingOver--;
    this.advance();
  }

  private mayStart(): boolean {
    return this.drained === undefined || this.drainingMs < DRAIN_STARTS_MS + this.options.settings.claimAheadMaxMs;
  }

  private get drainingMs(): number {
    return this.options.clock.monotonic() - this.drainingSince;
  }

  private finishDrain(now: number): void {
    try {
      // A request that begins later could be cut off, and a message that was not begun has another worker soon.
      if (!this.mayStart()) this.claimed.stop();
      if (!this.mayStart() || !this.options.lease.holds()) this.claimed.giveBackWaiting(Number.POSITIVE_INFINITY);
      else if (this.drainingMs >= DRAIN_STARTS_MS) this.claimed.giveBackWaiting(now - DRAIN_STARTS_MS);
    } finally {
      if (this.planner.idle && this.lateRows.idle && this.handingOver === 0) {
        if (this.claimed.allBeginAtTheirWake(now)) this.onBegun?.();
        // A claim that took effect after its session has left would be a claim of the dead, and in doubt.
        this.held.awaitUnsure();
        if (this.claimed.idle && !this.held.hasUnsure) this.drained?.();
      }
    }
  }

  private sweep(): void {
    const { clock, databaseClock, onBug } = this.options;
    this.sweeper = clock.after(SWEEP_EVERY_MS, () => this.sweep());
    const now = databaseClock.earliest();
    const unsettled = this.held.sweep(now, this.hasRoom());
    if (unsettled.length > 0) void this.planner.recall(unsettled).catch(onBug);
    this.prefetch.sweep(now);
    this.claimed.sweep(now);
    this.slots.sweep(clock.monotonic());
    this.gates.sweep();
    this.advance();
  }

  /** @param now by the database's clock */
  private setTimer(now: number): void {
    // While it drains, attempts that begin no request are ended at their time.
    const isDraining = this.drained !== undefined && this.mayStart() && !this.claimed.idle;
    if (this.held.size === 0 && this.claimed.waiting === 0 && !isDraining) return;
    let delayMs = LOOK_EVERY_MS;
    const { claimed, slots, held, ahead } = this;
    for (const at of [claimed.nextAt, slots.nextClaimAt, held.nextMissedAt, ahead.beginsAt(now)]) {
      if (at !== undefined && at > now) delayMs = Math.min(delayMs, at - now);
    }
    if (this.slots.toClaim.hasMore() || this.slots.toStart.hasMore() || this.held.hasMore()) delayMs = 0;
    const { clock } = this.options;
    const at = clock.monotonic() + delayMs;
    if (this.timer !== undefined && this.timer.at <= at) return;
    this.timer?.timer.cancel();
    const timer = clock.after(delayMs, () => {
      this.timer = undefined;
      this.advance();
    });
    this.timer = { at, timer };
  }
}
