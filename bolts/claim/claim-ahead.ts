/** Width of a slice of the near future, milliseconds. What can be claimed within one is claimed at its instant. */
const SLICE = 10;
/** A plan is good for this long, milliseconds. */
const FRESH = 2;
/** Rows per second that are counted on before anything was measured. */
const FIRST_RATE = 8_000;
/** Milliseconds that a claim is expected to take before one was measured. */
const FIRST_TRIP = 10;
/** Time allowed over what the rate says: senders, and readers of the binlog, want the processors at the instant. */
const MARGIN = 1.75;
/** Weight of the newest measurement. */
const WEIGHT = 0.3;

interface Forecast {
  readonly madeAt: number;
  /** Rows that wake up to then are claimed now. */
  readonly horizon: number;
  /** When claiming ahead is to begin next; +Infinity when there is no need. */
  readonly beginsAt: number;
}

/**
 * When to begin claiming ahead of the instant, from how many rows wake when and how many can be claimed in a second.
 *
 * 1. *Just enough*: claiming begins so that the last row of a crowd is claimed at its wake, if all before it are; a crowd
 *    that can be claimed within its instant is not claimed ahead.
 * 2. *Never further ahead than `max`*; 0 switches it off.
 *
 * All times are epoch milliseconds by the database's clock.
 */
export class ClaimAhead {
  private readonly slices = new Map<number, number>();
  private rows = 0;
  /** Claimed rows per millisecond. */
  private rate = FIRST_RATE / 1_000;
  /** From a claim to its answer, milliseconds. */
  private trip = FIRST_TRIP;
  private plan: Forecast | undefined;

  constructor(private readonly max: number) {}

  add(at: number): void {
    if (this.max === 0) return;
    const slice = Math.floor(at / SLICE);
    this.slices.set(slice, (this.slices.get(slice) ?? 0) + 1);
    this.rows++;
    this.plan = undefined;
  }

  remove(at: number): void {
    if (this.max === 0) return;
    const slice = Math.floor(at / SLICE);
    const left = (this.slices.get(slice) ?? 0) - 1;
    if (left > 0) this.slices.set(slice, left);
    else this.slices.delete(slice);
    this.rows--;
  }

  /** So many rows were claimed in so many milliseconds, the last of them in one claim that took `trip`. */
  measured(rows: number, elapsed: number, trip: number): void {
    this.rate += (rows / elapsed - this.rate) * WEIGHT;
    this.trip += (trip - this.trip) * WEIGHT;
  }

  /** Up to which wake rows are claimed now: `now` or later. */
  horizon(now: number): number {
    return Math.max(now, this.planAt(now).horizon);
  }

  /** When claiming ahead begins next; +Infinity when there is no need. */
  beginsAt(now: number): number {
    return this.planAt(now).beginsAt;
  }

  private planAt(now: number): Forecast {
    const { plan } = this;
    if (plan !== undefined && now >= plan.madeAt && now < Math.min(plan.madeAt + FRESH, plan.beginsAt)) return plan;
    this.plan = this.make(now);
    return this.plan;
  }

  private make(now: number): Forecast {
    let horizon = Number.NEGATIVE_INFINITY;
    let beginsAt = Number.POSITIVE_INFINITY;
    const instant = SLICE * this.rate;
    if (this.rows > instant && Number.isFinite(now)) {
      let before = 0;
      const last = Math.floor((now + 2 * this.max) / SLICE);
      for (let slice = Math.floor(now / SLICE); slice <= last; slice++) {
        const count = this.slices.get(slice);
        if (count === undefined) continue;
        before += count;
        if (count <= instant) continue;
        const ahead = Math.min(this.max, (before / this.rate) * MARGIN + this.trip);
        const begins = slice * SLICE - ahead;
        if (begins <= now) horizon = Math.min((slice + 1) * SLICE - 1, now + this.max);
        else beginsAt = Math.min(beginsAt, begins);
      }
    }
    return { madeAt: now, horizon, beginsAt };
  }
}
