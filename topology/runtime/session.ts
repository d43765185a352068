import type { Clock } from '../core/clock';
import { DatabaseClockBounds } from '../core/database-clock';
import { Unavailable } from '../core/errors';
import { LEASE_MS, type Lease } from '../core/lease';
import { APP, isCredible } from '../core/limits';
import { PAUSES_KNOWN_MS, type Pauses } from '../core/pauses';
import type { LimitedAccount, Pulse, WorkerIdentity, WorkerRegistry, WorkerReport } from './worker-registry';

const RENEW_EVERY_MS = 3_000;
/** The lease ends here this much sooner than in the database. */
const LEASE_MARGIN_MS = 1_000;
const PULSE_EVERY_MS = 1_000;
const RETRY_UNAVAILABLE_MS = 500;

/** A moment by both clocks of this machine. */
interface Moment {
  readonly monotonicMs: number;
  readonly wallMs: number;
}

const OUT: Moment = { monotonicMs: Number.NEGATIVE_INFINITY, wallMs: Number.NEGATIVE_INFINITY };

export interface SessionOptions {
  readonly registry: WorkerRegistry;
  readonly identity: WorkerIdentity;
  readonly clock: Clock;
  readonly report: () => Omit<WorkerReport, 'pausesReadAt'>;
  /** Called when the session is dead: it may do nothing any more. */
  readonly onDead: (why: string) => void;
  /** Takes what was thrown. The session retries Unavailable; anything else ends the worker. */
  readonly onError: (error: unknown) => void;
}

/**
 * One life of a worker in the database: its lease, the database's clock, and what operators have paused.
 *
 * 1. The lease ends here before it ends in the database: it is counted from before each renewal was sent, with a margin.
 * 2. A session that was marked dead never holds its lease again.
 * 3. While the database is away renewals are retried; a lease that ran out and that nobody took away holds again.
 * 4. The clock's bounds and the pauses are those of the last pulse.
 * 5. A machine that was suspended for longer than the lease holds no lease when it wakes: the monotonic clock stood still
 *    meanwhile, so the wall clock counts too. (One that is set forward costs the lease until the next renewal.)
 * 6. When the database's clock turns out to have run ahead, the lease is out until the database has renewed it. The answer to
 *    a renewal that was sent before says nothing: it may be as old as the jump.
 * 7. What is paused is known only for a moment after it was asked for, however long the lease holds.
 * 8. A pause of a command that adds partitions stops what is emitted, and bolts send what was: so nothing of it waits when the
 *    pause ends. While there is one, every pulse is reported at once, because the command waits for that.
 * 9. An account that is at a limit, or a channel, is paused until an instant, and goes on then without another pulse. Spouts heed all
 *    of that; bolts only what a provider has said, because they know best what they may begin themselves.
 * 10. A session whose database belongs to another deployment is dead, because it would send messages that are not its own. A copy was
 *    loaded under it, or somebody has adopted the database elsewhere.
 */
export class Session implements Lease, Pauses {
  readonly session: string;
  readonly databaseClock: DatabaseClockBounds;
  /** What bolts heed. The session itself says what spouts heed. */
  readonly pausesOfBolts: Pauses = {
    known: () => this.known(),
    paused: (channel, account) =>
      this.isPausedForAll(channel) ||
      this.isAccountPaused(channel, account) ||
      this.isLimited(channel, account, 'heldUntil') ||
      this.isLimited(channel, APP, 'heldUntil'),
    awaited: (channel, account) => this.awaited(channel, account),
    channelPaused: (channel) => this.isPausedForAll(channel) || this.isLimited(channel, APP, 'heldUntil'),
  };
  /** Until when the lease holds. */
  private until = OUT;
  /** Until when what was read of pauses counts. */
  private knownUntil = OUT;
  /** How often the lease was dropped: a renewal that was sent before a drop does not give it back. */
  private drops = 0;
  private dead = false;
  private deactivated = false;
  private channels: ReadonlySet<string> = new Set();
  private emissionPaused: ReadonlySet<string> = new Set();
  private pausesReadAt: number | undefined;
  private accounts: ReadonlySet<string> = new Set();
  private limited: ReadonlyMap<string, LimitedAccount> = new Map();
  private readonly closing = new AbortController();
  private loops: Promise<void>[] = [];

  constructor(private readonly options: SessionOptions) {
    this.session = options.identity.session;
    this.databaseClock = new DatabaseClockBounds(options.clock);
  }

  holds(): boolean {
    return !this.dead && this.isBefore(this.until);
  }

  known(): boolean {
    return this.isBefore(this.knownUntil);
  }

  paused(channel: string, account: string): boolean {
    return (
      this.channelPaused(channel) ||
      this.isAccountPaused(channel, account) ||
      this.isLimited(channel, account, 'gateUntil')
    );
  }

  awaited(channel: string, account: string): boolean {
    return this.isPausedForAll(channel) || this.emissionPaused.has(channel) || this.isAccountPaused(channel, account);
  }

  channelPaused(channel: string): boolean {
    return (
      this.isPausedForAll(channel) || this.emissionPaused.has(channel) || this.isLimited(channel, APP, 'gateUntil')
    );
  }

  /** Registers the session and reads the clock and the pauses once. Throws Unavailable; then it may be called again. */
  async open(): Promise<void> {
    const { registry, identity } = this.options;
    await registry.register(identity, LEASE_MS);
    // It may have been registered before, and marked dead since.
    await this.renew();
    await this.pulse();
    this.loops = [this.repeat(RENEW_EVERY_MS, () => this.renew()), this.repeat(PULSE_EVERY_MS, () => this.pulse())];
  }

  /** Reports to the database at once what the worker owns, not only with the next regular renewal. */
  async renew(): Promise<void> {
    const { registry, clock, report } = this.options;
    if (this.dead) return;
    const { drops } = this;
    const until = inTime(clock, LEASE_MS - LEASE_MARGIN_MS);
    const { pausesReadAt } = this;
    const reported = { ...report(), ...(pausesReadAt === undefined ? {} : { pausesReadAt }) };
    if (await registry.renew(this.session, LEASE_MS, reported)) {
      if (drops === this.drops && until.monotonicMs > this.until.monotonicMs) this.until = until;
      return;
    }
    this.die('the session was marked dead: another worker has taken over');
  }

  /** @param ownsNothing no row is claimed any more, so nobody needs to wait for the lease to run out */
  async close(ownsNothing: boolean): Promise<void> {
    this.closing.abort();
    await Promise.all(this.loops);
    this.drop();
    if (ownsNothing && !this.dead) await this.options.registry.leave(this.session);
  }

  private async pulse(): Promise<void> {
    const { registry, clock, onError } = this.options;
    const knownUntil = inTime(clock, PAUSES_KNOWN_MS);
    const pulse = await registry.pulse();
    const { reading, belongsElsewhere } = pulse;
    if (belongsElsewhere) {
      this.die('the database belongs to another deployment by now: it was replaced by a copy, or adopted elsewhere');
      return;
    }
    // More than the lease's margin: the database counts its lease as older than we do, whether its clock was set or both of
    // ours stood still.
    const isOut = this.databaseClock.observe(reading) > LEASE_MARGIN_MS;
    if (isOut) this.drop();
    this.heed(pulse);
    if (pulse.limitsUnread !== undefined) onError(pulse.limitsUnread);
    this.knownUntil = knownUntil;
    if (isOut || this.emissionPaused.size > 0) await this.renew();
  }

  private heed(pulse: Pulse): void {
    const { reading, deactivated, pausedChannels, emissionPausedChannels, pausedAccounts, limited } = pulse;
    this.deactivated = deactivated;
    this.channels = new Set(pausedChannels);
    this.emissionPaused = new Set(emissionPausedChannels);
    this.accounts = new Set(pausedAccounts.map(({ channel, account }) => key(channel, account)));
    this.limited = new Map(limited.map((one) => [key(one.channel, one.account), one]));
    // The clock was read before the pauses.
    this.pausesReadAt = reading.timestamp;
  }

  private isPausedForAll(channel: string): boolean {
    return this.deactivated || this.channels.has(channel);
  }

  private isAccountPaused(channel: string, account: string): boolean {
    return this.accounts.size > 0 && this.accounts.has(key(channel, account));
  }

  private isLimited(channel: string, account: string, until: 'gateUntil' | 'heldUntil'): boolean {
    if (this.limited.size === 0) return false;
    const ends = this.limited.get(key(channel, account))?.[until] ?? 0;
    const now = this.databaseClock.earliest();
    return ends > now && isCredible(ends, now);
  }

  private die(why: string): void {
    if (this.dead) return;
    this.dead = true;
    this.options.onDead(why);
  }

  private drop(): void {
    this.until = OUT;
    this.drops++;
  }

  private isBefore({ monotonicMs, wallMs }: Moment): boolean {
    const { clock } = this.options;
    return clock.monotonic() < monotonicMs && clock.now() < wallMs;
  }

  private async repeat(interval: number, work: () => Promise<void>): Promise<void> {
    const { clock, onError } = this.options;
    let delay = interval;
    while (!this.closing.signal.aborted) {
      await clock.sleep(delay, this.closing.signal);
      if (this.closing.signal.aborted) return;
      const begun = clock.monotonic();
      try {
        await work();
        delay = interval - (clock.monotonic() - begun);
      } catch (error) {
        onError(error);
        if (!(error instanceof Unavailable)) return;
        delay = RETRY_UNAVAILABLE_MS;
      }
    }
  }
}

function inTime(clock: Clock, ms: number): Moment {
  return { monotonicMs: clock.monotonic() + ms, wallMs: clock.now() + ms };
}

/** Channel names hold no NUL. */
function key(channel: string, account: string): string {
  return `${channel}\0${account}`;
}
