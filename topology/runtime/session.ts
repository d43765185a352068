import type { Clock } from '../core/clock';
import { DatabaseClockBounds } from '../core/database-clock';
import { Unavailable } from '../core/errors';
import { LEASE_MS, type Lease } from '../core/lease';
import type { Pauses } from '../core/pauses';
import type { WorkerIdentity, WorkerRegistry, WorkerReport } from './worker-registry';

const RENEW_EVERY_MS = 3_000;
/** The lease ends here this much sooner than in the database. */
const LEASE_MARGIN_MS = 1_000;
const PULSE_EVERY_MS = 1_000;
const RETRY_UNAVAILABLE_MS = 500;

export interface SessionOptions {
  readonly registry: WorkerRegistry;
  readonly identity: WorkerIdentity;
  readonly clock: Clock;
  readonly report: () => WorkerReport;
  /** Called when the session was marked dead: it may do nothing any more. */
  readonly onDead: () => void;
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
 */
export class Session implements Lease, Pauses {
  readonly session: string;
  readonly databaseClock: DatabaseClockBounds;
  /** Until when the lease holds, monotonic. */
  private untilMs = Number.NEGATIVE_INFINITY;
  private dead = false;
  private channels: ReadonlySet<string> = new Set();
  private accounts: ReadonlySet<string> = new Set();
  private readonly closing = new AbortController();
  private loops: Promise<void>[] = [];

  constructor(private readonly options: SessionOptions) {
    this.session = options.identity.session;
    this.databaseClock = new DatabaseClockBounds(options.clock);
  }

  holds(): boolean {
    return !this.dead && this.options.clock.monotonic() < this.untilMs;
  }

  paused(channel: string, account: string): boolean {
    return this.channels.has(channel) || (this.accounts.size > 0 && this.accounts.has(key(channel, account)));
  }

  channelPaused(channel: string): boolean {
    return this.channels.has(channel);
  }

  /** Registers the session and reads the clock and the pauses once. Throws Unavailable. */
  async open(): Promise<void> {
    const { registry, identity, clock } = this.options;
    const sent = clock.monotonic();
    await registry.register(identity, LEASE_MS);
    this.untilMs = sent + LEASE_MS - LEASE_MARGIN_MS;
    await this.pulse();
    this.loops = [this.repeat(RENEW_EVERY_MS, () => this.renew()), this.repeat(PULSE_EVERY_MS, () => this.pulse())];
  }

  /** Reports to the database at once what the worker owns, not only with the next regular renewal. */
  async renew(): Promise<void> {
    const { registry, clock, report, onDead } = this.options;
    if (this.dead) return;
    const sent = clock.monotonic();
    if (await registry.renew(this.session, LEASE_MS, report())) {
      this.untilMs = Math.max(this.untilMs, sent + LEASE_MS - LEASE_MARGIN_MS);
      return;
    }
    this.dead = true;
    onDead();
  }

  /** @param ownsNothing no row is claimed any more, so nobody needs to wait for the lease to run out */
  async close(ownsNothing: boolean): Promise<void> {
    this.closing.abort();
    await Promise.all(this.loops);
    this.untilMs = Number.NEGATIVE_INFINITY;
    if (ownsNothing && !this.dead) await this.options.registry.leave(this.session);
  }

  private async pulse(): Promise<void> {
    const { reading, pausedChannels, pausedAccounts } = await this.options.registry.pulse();
    this.databaseClock.observe(reading);
    this.channels = new Set(pausedChannels);
    this.accounts = new Set(pausedAccounts.map(({ channel, account }) => key(channel, account)));
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

/** Channel names hold no NUL. */
function key(channel: string, account: string): string {
  return `${channel}\0${account}`;
}
