import type { Clock } from '../topology/core/clock';

/** A moment by both clocks of this machine, milliseconds. */
export interface Moment {
  readonly monotonic: number;
  /** By the wall clock, which counts the time of a suspension. */
  readonly wall: number;
}

/**
 * Whoever runs asks the database more often. Where more lies between two answers, by either clock, the process stood still or its machine
 * was suspended, and nothing is known of what the database did meanwhile.
 */
const MAX_GAP_MS = 10_000;

/** For how long the database has been answering without a break, as far as a process can know that itself stands still at times. */
export class SteadyDatabase {
  private known: { readonly since: number; readonly until: Moment } | undefined;

  constructor(private readonly clock: Pick<Clock, 'monotonic' | 'now'>) {}

  /** Milliseconds until this moment, at which something is asked. */
  steadyMs(at: Moment): number {
    if (this.known === undefined || msBetween(this.known.until, at) > MAX_GAP_MS) return 0;
    return at.monotonic - this.known.since;
  }

  /** What was asked at this moment was answered. */
  answered(asked: Moment): void {
    const until = momentOf(this.clock);
    const { known } = this;
    const isUnbroken =
      known !== undefined && msBetween(known.until, asked) <= MAX_GAP_MS && msBetween(asked, until) <= MAX_GAP_MS;
    this.known = { since: isUnbroken ? known.since : until.monotonic, until };
  }

  /** It has not answered, or was not asked for some time. */
  lost(): void {
    this.known = undefined;
  }
}

export function momentOf(clock: Pick<Clock, 'monotonic' | 'now'>): Moment {
  return { monotonic: clock.monotonic(), wall: clock.now() };
}

/** By the clock that says more. */
export function msBetween(one: Moment, next: Moment): number {
  return Math.max(next.monotonic - one.monotonic, next.wall - one.wall);
}
