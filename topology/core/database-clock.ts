import type { Clock, ClockReading, DatabaseClock } from './clock';

/** An older reading says nothing any more: the database's clock may have been set since. */
const MAX_READING_AGE_MS = 30_000;
/** How far two clocks may drift apart, as a fraction of the time since the reading. Crystals stay within 100 ppm each. */
const MAX_DRIFT = 200e-6;
/** A slower round trip gives wide bounds; it is used only while there is nothing better. */
const SLOW_ROUND_TRIP_MS = 250;

interface Bound {
  /** Database minus monotonic, milliseconds. */
  offset: number;
  /** Monotonic milliseconds of the reading. */
  at: number;
}

/**
 * Bounds of the database's clock from readings of it:
 * `timestamp + (now − received) ≤ database ≤ timestamp + (now − sent)`, the tightest of the recent ones (Marzullo's
 * intersection, for one server). A midpoint would be early by up to half of a lopsided round trip.
 */
export class DatabaseClockBounds implements DatabaseClock {
  private low: Bound | undefined;
  private high: Bound | undefined;
  private server: string | undefined;

  constructor(private readonly clock: Pick<Clock, 'monotonic'>) {}

  observe(reading: ClockReading): void {
    const low = { offset: reading.timestamp - reading.received, at: reading.received };
    const high = { offset: reading.timestamp - reading.sent, at: reading.received };
    const now = this.clock.monotonic();
    if (reading.server !== this.server || this.expired(now)) {
      this.server = reading.server;
      this.low = low;
      this.high = high;
      return;
    }
    if (reading.received - reading.sent > SLOW_ROUND_TRIP_MS) return;
    const bestLow = lowAt(this.low, now);
    const bestHigh = highAt(this.high, now);
    // Bounds that contradict each other mean that somebody set the database's clock: only the newest reading counts.
    if (lowAt(low, now) > bestHigh || highAt(high, now) < bestLow) {
      this.low = low;
      this.high = high;
      return;
    }
    if (lowAt(low, now) >= bestLow) this.low = low;
    if (highAt(high, now) <= bestHigh) this.high = high;
  }

  earliest(): number {
    const now = this.clock.monotonic();
    return this.expired(now) ? Number.NEGATIVE_INFINITY : lowAt(this.low, now);
  }

  latest(): number {
    const now = this.clock.monotonic();
    return this.expired(now) ? Number.POSITIVE_INFINITY : highAt(this.high, now);
  }

  private expired(now: number): boolean {
    if (this.low === undefined || this.high === undefined) return true;
    return Math.min(now - this.low.at, now - this.high.at) > MAX_READING_AGE_MS;
  }
}

function lowAt(bound: Bound | undefined, now: number): number {
  return bound === undefined ? Number.NEGATIVE_INFINITY : now + bound.offset - Math.max(0, now - bound.at) * MAX_DRIFT;
}

function highAt(bound: Bound | undefined, now: number): number {
  return bound === undefined ? Number.POSITIVE_INFINITY : now + bound.offset + Math.max(0, now - bound.at) * MAX_DRIFT;
}
