import type { Bolt, Delivery } from '../topology/core/bolt';
import type { Clock, DatabaseClock, Timer } from '../topology/core/clock';
import type { Lease } from '../topology/core/lease';
import type { Pauses } from '../topology/core/pauses';
import type { RetryPolicy } from '../topology/core/retry-policy';
import type { Gauges } from '../topology/gauges';
import type { Due } from '../topology/streams';
import type { Channel } from './channel';
import { ClaimPlanner } from './claim/claim-planner';
import { Claimer } from './claim/claimer';
import { HeldRows } from './claim/held-rows';
import { Prefetch } from './claim/prefetch';
import type { HeldRow } from './held-row';
import { RetryUntilDone } from './retry-until-done';
import { ClaimedRows } from './send/claimed-rows';
import type { SendRow, SendRows } from './send-rows';
import { SendSlots } from './slots/send-slots';

/** Times are milliseconds. */
export interface SendBoltSettings {
  /** Requests in flight: in all, of one account, to one host. */
  readonly concurrency: number;
  readonly perAccount: number;
  readonly perHost: number;
  /** Rows of one claim, at most. */
  readonly claimBatch: number;
  /** How long before its wake a row may be claimed when many wake at one instant; 0 switches it off. */
  readonly claimAheadMaxMs: number;
  /** Rows that are held, and the memory they take in bytes. */
  readonly maxHeld: number;
  readonly maxHeldBytes: number;
  /** How long before its wake a message is emitted. */
  readonly leadMs: number;
}

export interface SendBoltOptions {
  readonly channel: Channel;
  readonly settings: SendBoltSettings;
  readonly retry: RetryPolicy;
  readonly rows: SendRows;
  readonly lease: Lease;
  readonly pauses: Pauses;
  readonly clock: Clock;
  readonly databaseClock: DatabaseClock;
  /** In [0, 1), for jitter. */
  readonly random: () => number;
  /** What could not be done, and why. It is tried again where that helps. */
  readonly onError: (what: string, error: unknown) => void;
}

/** While anything waits, the clock and the lease are looked at this often: both move by messages from elsewhere. */
const LOOK = 100;
const SWEEP = 1_000;
/** Claims' worth of outcomes that may be unwritten before claims stop, so that a slow database is not outrun. */
const UNWRITTEN_BATCHES = 40;

/**
 * Sends the messages of one channel at their wake.
 *
 * 1. *No request without a committed claim on the row, in the very version that was read.*
 * 2. *Never early*: the request starts at or after the wake by the database's clock.
 * 3. *A zombie cannot send or write*: past its lease it stops before the next request, and its write-back names its session.
 * 4. *Doubt is never hidden*: an attempt that may have been accepted ends in a row that says so.
 * 5. *One slow account, host or provider holds nobody else.*
 */
export class SendBolt implements Bolt<Due> {
  private readonly slots: SendSlots;
  private readonly persistence: RetryUntilDone;
  private readonly prefetch: Prefetch;
  private readonly holding: HeldRows;
  private readonly claiming: ClaimPlanner;
  private readonly sending: ClaimedRows;
  private timer: { readonly at: number; readonly timer: Timer } | undefined;
  private sweeper: Timer | undefined;
  private closed = false;
  /** Set while draining: called when nothing is under way. */
  private drained: (() => void) | undefined;

  constructor(private readonly options: SendBoltOptions) {
    const { channel, settings, rows, lease, clock, onError } = options;
    const { session } = lease;
    const blind = channel.class === 'blind';
    const slots = new SendSlots({ ...settings, exact: blind });
    const persistence = new RetryUntilDone(options);
    this.slots = slots;
    this.persistence = persistence;
    this.prefetch = new Prefetch({ rows, persistence, onRead: (found, asked) => this.read(found, asked) });
    this.sending = new ClaimedRows({
      ...options,
      slots,
      persistence,
      backlog: UNWRITTEN_BATCHES * settings.claimBatch,
      claimsWait: () => this.holding.ready(options.databaseClock.earliest()) > 0,
      onFreed: (row) => this.freed(row),
      onQuick: (host) => {
        this.sending.wakeHost(host);
        this.holding.wakeHost(host);
      },
      onEnded: () => this.goOn(),
      onDone: (done) => this.done(done),
    });
    this.holding = new HeldRows({
      ...options,
      slots,
      leadMs: settings.leadMs,
      claimAheadMaxMs: blind ? 0 : settings.claimAheadMaxMs,
      isClaimed: (id, version) => this.sending.has(id, version),
    });
    const { ahead } = this.holding;
    const measured = (count: number, elapsed: number, trip: number) => ahead.measured(count, elapsed, trip);
    this.claiming = new ClaimPlanner({
      ...options,
      slots,
      holding: this.holding,
      sending: this.sending,
      claims: new Claimer({ rows, session, persistence, clock, measured, onError }),
      onClaimed: () => this.pump(),
    });
  }

  async open(): Promise<void> {
    this.sweeper = this.options.clock.after(SWEEP, () => this.sweep());
  }

  execute(deliveries: readonly Delivery<Due>[]): void {
    if (this.drained !== undefined || this.closed) return;
    for (const delivery of deliveries) {
      if (!this.holding.again(delivery)) this.prefetch.add(delivery);
    }
    this.prefetch.go();
  }

  hasRoom(): boolean {
    const { maxHeld, maxHeldBytes } = this.options.settings;
    return this.holding.inHand + this.prefetch.size < maxHeld && this.holding.bytes < maxHeldBytes;
  }

  revoked(partitions: readonly number[]): void {
    const set = new Set(partitions);
    this.prefetch.forget(set);
    this.holding.revoke(set);
  }

  drain(): Promise<void> {
    return new Promise((resolve) => {
      // What is only held is not acked, so it comes to whoever has the partition next.
      this.drained = resolve;
      this.prefetch.forget();
      this.holding.revoke();
      this.sending.hurry();
      this.pump();
    });
  }

  async close(): Promise<void> {
    this.closed = true;
    this.persistence.end();
    this.sending.close();
    this.sweeper?.cancel();
    this.timer?.timer.cancel();
    this.timer = undefined;
  }

  gauges(): Gauges {
    return {
      held: this.holding.size + this.prefetch.size,
      held_bytes: this.holding.bytes,
      claimed_waiting: this.sending.waiting,
      in_flight: this.slots.inFlight,
      unwritten: this.sending.unwritten,
      claim_ahead_ms: Math.round(this.claiming.ahead),
      slow_hosts: this.slots.slowHosts,
    };
  }

  private read(found: readonly SendRow[], asked: ReadonlyMap<number, Delivery<Due>>): void {
    if (this.drained !== undefined || this.closed) return;
    const accounts = this.holding.take(found, asked);
    if (accounts.size > 0) void this.warm([...accounts]);
    this.pump();
  }

  /** A help, not a condition: the channel loads what it lacks when it sends. */
  private async warm(accounts: readonly string[]): Promise<void> {
    try {
      await this.options.channel.warm(accounts);
    } catch (error) {
      this.options.onError('warm accounts', error);
    }
  }

  /** Everything that can go on goes on, and is looked at again in time. */
  private pump(): void {
    if (this.closed) return;
    this.arm(this.goOn());
  }

  /** @returns the time, by the database's clock */
  private goOn(): number {
    const now = this.options.databaseClock.earliest();
    if (this.closed) return now;
    this.sending.start(now);
    if (this.drained === undefined) this.claiming.go(now);
    else this.finishDrain();
    return now;
  }

  private freed(row: HeldRow): void {
    this.sending.wake(row);
    this.holding.wake(row);
  }

  private done(rows: readonly HeldRow[]): void {
    for (const row of rows) this.holding.release(row);
    this.pump();
  }

  private finishDrain(): void {
    if (!this.options.lease.holds()) this.sending.giveUp();
    if (this.claiming.idle && this.sending.size === 0 && this.sending.unwritten === 0) this.drained?.();
  }

  private sweep(): void {
    const { clock, databaseClock } = this.options;
    const now = databaseClock.earliest();
    const unsettled = this.holding.sweep(now);
    if (unsettled.length > 0) void this.claiming.recall(unsettled);
    this.sending.sweep(now);
    this.slots.prune(clock.monotonic());
    this.pump();
    this.sweeper = clock.after(SWEEP, () => this.sweep());
  }

  private arm(now: number): void {
    if (this.holding.size === 0 && this.sending.waiting === 0) return;
    let delay = LOOK;
    for (const at of [this.sending.nextAt, this.holding.nextAt, this.holding.ahead.beginsAt(now)]) {
      if (at !== undefined && at > now) delay = Math.min(delay, at - now);
    }
    const { clock } = this.options;
    const at = clock.monotonic() + delay;
    if (this.timer !== undefined && this.timer.at <= at) return;
    this.timer?.timer.cancel();
    const timer = clock.after(delay, () => {
      this.timer = undefined;
      this.pump();
    });
    this.timer = { at, timer };
  }
}
