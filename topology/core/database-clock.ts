import type { Clock, ClockReading, DatabaseClock } from './clock';

/** An older reading says nothing any more: the database's clock may have been set since. */
const MAX_READING_AGE_MS = 30_000;
/** A reading comes every second. */
const MAX_READINGS = 64;
/** How far two clocks may drift apart, as a fraction of the time since the reading. Crystals stay within 100 ppm each. */
const MAX_DRIFT = 200e-6;

interface Bound {
  /** Database minus monotonic, milliseconds. */
  offset: number;
  /** Monotonic milliseconds of the reading. */
  at: number;
}

interface Reading {
  readonly low: Bound;
  readonly high: Bound;
}

/**
 * Bounds of the database's clock from readings of it:
 * `timestamp + (now − received) ≤ database ≤ timestamp + (now − sent)`, the tightest of the recent ones (Marzullo's
 * intersection, for one server). A midpoint would be early by up to half of a lopsided round trip. A slow round trip gives
 * wide bounds, which count only when no tighter ones are recent.
 */
export class DatabaseClockBounds implements DatabaseClock {
  /** Of the recent readings, the oldest first. */
  private readings: Reading[] = [];
  private low: Bound | undefined;
  private high: Bound | undefined;
  /** When one of them becomes too old. */
  private until = Number.POSITIVE_INFINITY;
  private server: string | undefined;

  constructor(private readonly clock: Pick<Clock, 'monotonic'>) {}

  /** @returns how far the database's clock has run ahead of what was known of it; 0 when it fits */
  observe(reading: ClockReading): number {
    const at = reading.received;
    const low = { offset: reading.timestamp - reading.received, at };
    const high = { offset: reading.timestamp - reading.sent, at };
    const now = this.clock.monotonic();
    // Bounds that contradict each other mean that somebody set the database's clock: only the newest reading counts.
    const aheadMs = lowAt(low, now) - highAt(this.high, now);
    const contradicts = aheadMs > 0 || highAt(high, now) < lowAt(this.low, now);
    if (reading.server !== this.server || contradicts) this.readings = [];
    this.server = reading.server;
    this.readings.push({ low, high });
    this.choose(now);
    return Math.max(0, aheadMs);
  }

  earliest(): number {
    const now = this.forgetOld();
    return lowAt(this.low, now);
  }

  latest(): number {
    const now = this.forgetOld();
    return highAt(this.high, now);
  }

  /** @returns now, after bounds that are too old were replaced by those of later readings */
  private forgetOld(): number {
    const now = this.clock.monotonic();
    if (now > this.until) this.choose(now);
    return now;
  }

  private choose(now: number): void {
    const { readings } = this;
    let old = 0;
    while (now - (readings[old]?.low.at ?? now) > MAX_READING_AGE_MS) old++;
    readings.splice(0, Math.max(old, readings.length - MAX_READINGS));
    this.low = this.high = undefined;
    for (const { low, high } of readings) {
      if (this.low === undefined || lowAt(low, now) >= lowAt(this.low, now)) this.low = low;
      if (this.high === undefined || highAt(high, now) <= highAt(this.high, now)) this.high = high;
    }
    const at = [this.low, this.high].map((bound) => bound?.at ?? Number.POSITIVE_INFINITY);
    this.until = Math.min(...at) + MAX_READING_AGE_MS;
  }
}

function lowAt(bound: Bound | undefined, now: number): number {
  return bound === undefined ? Number.NEGATIVE_INFINITY : now + bound.offset - Math.max(0, now - bound.at) * MAX_DRIFT;
}

function highAt(bound: Bound | undefined, now: number): number {
  return bound === undefined ? Number.POSITIVE_INFINITY : now + bound.offset + Math.max(0, now - bound.at) * MAX_DRIFT;
}
