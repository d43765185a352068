import type { Clock } from '../../topology/core/clock';
import { LEASE_MS } from '../../topology/core/lease';
import type { SessionLease } from '../open-rows';
import type { DatabaseContact } from './database-contact';

/**
 * Between two looks at a lease this much counts at most. A spout that stood still itself cannot know whether the database
 * answered in the meantime.
 */
const MAX_COUNTED_GAP_MS = LEASE_MS / 2;
/** The next look begins this much after the lease has ended, because the time of round trips does not count. */
const ROUND_TRIP_MS = 50;
/** A lease is watched for so long after it was renewed, or somebody wanted to know of it. */
const FORGOTTEN_AFTER_MS = 6 * LEASE_MS;
/** All leases are watched that have not run out for longer than this: most are seen within it after they were renewed last. */
const RECENT_MS = LEASE_MS;

interface WatchedLease {
  leaseUntil: number;
  /** How long this spout has seen the lease unrenewed. */
  unrenewedMs: number;
  /** Monotonic milliseconds. */
  lookedAt: number;
  /** When it was seen renewed, or somebody wanted to know of it, monotonic milliseconds. */
  wantedAt: number;
}

/**
 * Finds out which sessions are dead, and marks them so.
 *
 * 1. A session is marked dead only when this spout has seen its lease unrenewed for a whole lease and the database says
 *    that it ran out. So neither a spout that has just started nor a step of the database's clock ends a living worker.
 * 2. A lease is watched again from the beginning when the database was away, because its worker could not renew it then.
 * 3. Leases are watched before anybody wants to know of them. So what a dead worker leaves waits for a lease from its last renewal, and
 *    not from the look at which its rows were found to be overdue. Who has left nothing is not marked: it may only have slept.
 */
export class LeaseWatch {
  private readonly watched = new Map<string, WatchedLease>();

  constructor(
    private readonly rows: DatabaseContact,
    private readonly clock: Clock,
  ) {}

  /** Looks at all leases that are watched, so that their time counts whether or not their rows are read again. */
  async look(): Promise<void> {
    const now = this.clock.monotonic();
    for (const [session, { wantedAt }] of this.watched) {
      if (now - wantedAt > FORGOTTEN_AFTER_MS) this.watched.delete(session);
    }
    await this.observe([...this.watched.keys()], RECENT_MS);
  }

  /** Of the sessions given, those that are dead. */
  async deadOf(sessions: readonly string[]): Promise<ReadonlySet<string>> {
    const leases = await this.observe(sessions);
    const now = this.clock.monotonic();
    const alive = new Set(leases.map(({ session }) => session));
    const dead = new Set(sessions.filter((session) => !alive.has(session)));
    const ended: SessionLease[] = [];
    for (const lease of leases) {
      const watched = this.watched.get(lease.session);
      if (watched === undefined) continue;
      watched.wantedAt = now;
      if (watched.unrenewedMs >= LEASE_MS) ended.push(lease);
    }
    if (ended.length > 0) for (const session of await this.rows.markDead(ended)) dead.add(session);
    for (const session of dead) this.watched.delete(session);
    return dead;
  }

  /** Until the first of the watched leases has been unrenewed for a whole one; undefined when none is on the way to that. */
  get nextEndMs(): number | undefined {
    const left = [...this.watched.values()].map(({ unrenewedMs }) => LEASE_MS - unrenewedMs).filter((ms) => ms > 0);
    return left.length === 0 ? undefined : Math.min(...left) + ROUND_TRIP_MS;
  }

  /** Counts how long leases have been unrenewed. Those that are over are watched no more. @returns the leases that were read */
  private async observe(sessions: readonly string[], recentMs?: number): Promise<readonly SessionLease[]> {
    const { rows, clock, watched } = this;
    const sentAt = clock.monotonic();
    const leases = await rows.leasesOf(sessions, recentMs);
    const receivedAt = clock.monotonic();
    const alive = new Set(leases.map(({ session }) => session));
    for (const session of sessions) if (!alive.has(session)) watched.delete(session);
    for (const { session, leaseUntil } of leases) {
      const known = watched.get(session);
      if (known === undefined || known.leaseUntil !== leaseUntil || known.lookedAt < rows.steadySince) {
        watched.set(session, { leaseUntil, unrenewedMs: 0, lookedAt: receivedAt, wantedAt: receivedAt });
        continue;
      }
      known.unrenewedMs += Math.min(Math.max(0, sentAt - known.lookedAt), MAX_COUNTED_GAP_MS);
      known.lookedAt = receivedAt;
    }
    return leases;
  }
}
