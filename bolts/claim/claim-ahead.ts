/** Width of a slice of the near future. What can be claimed within one slice is claimed at its instant. */
const SLICE_MS = 10;
/** How long a forecast is used before the next one is made. */
const FORECAST_VALID_MS = 2;
/** Expected rate of claims before one was measured. */
const FIRST_ROWS_PER_SECOND = 8_000;
/** Expected time from a claim to its answer before one was measured. */
const FIRST_TRIP_MS = 10;
/** Allow 1.75 times the time that the measured rate needs, because at the instant sending and CDC compete for the CPU. */
const TIME_FACTOR = 1.75;
/**
 * With what has woken goes what wakes so soon afterwards: a commit costs as much for one row as for ten, and of a thin stream each row would
 * have its own.
 */
const SOON_MS = 20;
/** Weight of the newest measurement in the averages, between 0 and 1. */
const NEWEST_WEIGHT = 0.3;

interface Forecast {
  readonly madeAt: number;
  /** Rows with a wake up to this time are claimed now. */
  readonly horizon: number;
  /** When claiming ahead is to begin next; +Infinity when there is no need. */
  readonly beginsAt: number;
}

/**
 * Forecasts when to begin claiming ahead of the instant, from how many rows wake when and how many can be claimed in a second.
 *
 * 1. *Just enough*: claiming begins so early that the last row of a crowd is claimed at its wake. A crowd that can be claimed
 *    within its instant is not claimed ahead.
 * 2. *Never further ahead than `maxMs`*; 0 switches it off.
 * 3. *A claim that is made anyway takes what wakes in the next moment*, so that a stream has some fifty claims a second and not one for
 *    each row.
 *
 * All times are epoch milliseconds by the database's clock.
 */
export class ClaimAhead {
  private readonly slices = new Map<number, number>();
  private rows = 0;
  /** Claimed rows per millisecond. */
  private rate = FIRST_ROWS_PER_SECOND / 1_000;
  /** From a claim to its answer. */
  private tripMs = FIRST_TRIP_MS;
  private forecast: Forecast | undefined;

  constructor(private readonly maxMs: number) {}

  add(at: number): void {
    if (this.maxMs === 0) return;
    const slice = Math.floor(at / SLICE_MS);
    this.slices.set(slice, (this.slices.get(slice) ?? 0) + 1);
    this.rows++;
    this.forecast = undefined;
  }

  remove(at: number): void {
    if (this.maxMs === 0) return;
    const slice = Math.floor(at / SLICE_MS);
    const left = (this.slices.get(slice) ?? 0) - 1;
    if (left > 0) this.slices.set(slice, left);
    else this.slices.delete(slice);
    this.rows--;
  }

  /** So many rows were claimed in so much time. @param tripMs how long the last of those claims took, or longer */
  measured(rows: number, elapsedMs: number, tripMs: number): void {
    this.rate += (rows / elapsedMs - this.rate) * NEWEST_WEIGHT;
    this.tripMs += (tripMs - this.tripMs) * NEWEST_WEIGHT;
  }

  /** The latest wake of rows that are claimed now: `now` or later. */
  horizon(now: number): number {
    return Math.max(now, this.forecastAt(now).horizon);
  }

  /** The latest wake of rows that go with one that has woken: `now` or later. */
  soon(now: number): number {
    return Number.isFinite(now) ? now + Math.min(SOON_MS, this.maxMs) : now;
  }

  /** When claiming ahead begins next; +Infinity when there is no need. */
  beginsAt(now: number): number {
    return this.forecastAt(now).beginsAt;
  }

  private forecastAt(now: number): Forecast {
    const last = this.forecast;
    if (last !== undefined && now >= last.madeAt && now < Math.min(last.madeAt + FORECAST_VALID_MS, last.beginsAt)) {
      return last;
    }
    this.forecast = this.make(now);
    return this.forecast;
  }

  private make(now: number): Forecast {
    let horizon = Number.NEGATIVE_INFINITY;
    let beginsAt = Number.POSITIVE_INFINITY;
    const instant = SLICE_MS * this.rate;
    if (this.rows > instant && Number.isFinite(now)) {
      let before = 0;
      const last = Math.floor((now + 2 * this.maxMs) / SLICE_MS);
      for (let slice = Math.floor(now / SLICE_MS); slice <= last; slice++) {
        const count = this.slices.get(slice);
        if (count === undefined) continue;
        before += count;
        if (count <= instant) continue;
        const aheadMs = Math.min(this.maxMs, (before / this.rate) * TIME_FACTOR + this.tripMs);
        const begins = slice * SLICE_MS - aheadMs;
        if (begins <= now) horizon = Math.min((slice + 1) * SLICE_MS - 1, now + this.maxMs);
        else beginsAt = Math.min(beginsAt, begins);
      }
    }
    return { madeAt: now, horizon, beginsAt };
  }
}
