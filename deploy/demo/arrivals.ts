/** One request as the outside world saw it. Times are epoch milliseconds. */
export interface ReceivedRequest {
  /** The idempotency key. */
  readonly key: string;
  /** What the sender wrote into `x-tag`, or null. */
  readonly tag: string | null;
  /** From `x-due-at`; null when the request did not say. */
  readonly dueAt: number | null;
  readonly at: number;
  /** The first of its key. Later ones are recognised and answered, and change nothing. */
  readonly accepted: boolean;
}

/** Milliseconds from due to accepted. */
export interface AfterDuePercentiles {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
}

export interface ArrivalReport {
  readonly requests: number;
  /** Messages: requests that brought a key for the first time. */
  readonly accepted: number;
  /** Requests that brought a key again. */
  readonly duplicates: number;
  /** Requests without a key; they are counted nowhere else. */
  readonly withoutKey: number;
  /** Accepted before they were due. */
  readonly early: number;
  /** Null while nothing with a due time was accepted. */
  readonly afterDue: AfterDuePercentiles | null;
  /** Of what was accepted, epoch milliseconds; null while nothing was. */
  readonly firstAt: number | null;
  readonly lastAt: number | null;
}

/** The receiver's journal. */
export class Arrivals {
  private readonly keys = new Set<string>();
  private journal: ReceivedRequest[] = [];
  private withoutKey = 0;

  /** @param now epoch milliseconds */
  record(key: string | undefined, tag: string | null, dueAt: number | null, now: number): void {
    if (key === undefined) {
      this.withoutKey++;
      return;
    }
    const before = this.keys.size;
    this.keys.add(key);
    this.journal.push({ key, tag, dueAt, at: now, accepted: this.keys.size > before });
  }

  reset(): void {
    this.keys.clear();
    this.journal = [];
    this.withoutKey = 0;
  }

  /** Messages: keys that were seen. */
  get accepted(): number {
    return this.keys.size;
  }

  /** In order of arrival. */
  list(): readonly ReceivedRequest[] {
    return this.journal;
  }

  report(): ArrivalReport {
    const late: number[] = [];
    let early = 0;
    let firstAt: number | null = null;
    let lastAt: number | null = null;
    for (const { dueAt, at, accepted } of this.journal) {
      if (!accepted) continue;
      firstAt ??= at;
      lastAt = at;
      if (dueAt === null) continue;
      if (at < dueAt) early++;
      late.push(at - dueAt);
    }
    return {
      requests: this.journal.length + this.withoutKey,
      accepted: this.keys.size,
      duplicates: this.journal.length - this.keys.size,
      withoutKey: this.withoutKey,
      early,
      afterDue: percentilesOf(late),
      firstAt,
      lastAt,
    };
  }
}

/** Exact percentiles (nearest rank) of milliseconds; null for none. Sorts what it is given. */
function percentilesOf(values: number[]): AfterDuePercentiles | null {
  if (values.length === 0) return null;
  values.sort((a, b) => a - b);
  const rank = (share: number) => values[Math.max(0, Math.ceil(values.length * share) - 1)] as number;
  return { p50: rank(0.5), p90: rank(0.9), p99: rank(0.99), max: rank(1) };
}
