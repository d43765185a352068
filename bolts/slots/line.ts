import { type Ordered, OrderedRows } from './ordered-rows';
import { type AccountSlots, type Origin, Resource } from './resources';

/** What a row waits for: 0 to be claimed, 1 to be started. */
export type Phase = 0 | 1;
export const TO_CLAIM = 0;
export const TO_START = 1;

/** What an attempt says: the receiver answered, it did not answer a request, no connection was made, or nothing. */
export type Verdict = 'answered' | 'failed' | 'unreachable' | 'nothing';

/** A lane whose answers take longer than this on average is slow. */
export const SLOW_MS = 1_000;
/** Failures in a row from which on a lane is failing. */
const MAX_FAILURES_IN_A_ROW = 3;
/** Weight of the newest answer in the average, between 0 and 1. */
const NEWEST_WEIGHT = 0.2;
/** Requests that a lane is trusted with before it has answered. */
const FIRST_WINDOW = 8;

/** What a line needs of a row. */
export interface Waiting extends Ordered {
  /** It waits in the line of its lane for room, not for its time alone. */
  inLine: boolean;
}

/**
 * The rows of one account for one origin, and how many requests it is trusted with: additive increase, multiplicative
 * decrease (Jacobson, "Congestion Avoidance and Control", 1988). Each answer opens the window by one, failures in a row
 * halve it down to one.
 */
export class Lane<Row extends Waiting = Waiting> extends Resource {
  /** Rows in the bolt's hands that belong to it. */
  rows = 0;
  /** Rows that are claimed or being claimed. */
  claimed = 0;
  readonly lines: readonly [Line<Row>, Line<Row>] = [new Line<Row>(this), new Line<Row>(this)];
  /** When an attempt last ended, monotonic milliseconds. */
  lastEnded = 0;
  /** When its last request began that had no answer for long, monotonic milliseconds. */
  private hangsFrom = Number.NEGATIVE_INFINITY;
  private quick = false;
  private failures = 0;
  private averageMs = 0;
  private window: number;

  constructor(
    readonly account: AccountSlots,
    readonly origin: Origin,
    private readonly maxWindow: number,
  ) {
    super(maxWindow);
    this.window = Math.min(FIRST_WINDOW, maxWindow);
  }

  override get room(): number {
    return this.window - this.taken;
  }

  /** A request was answered, or was made and not answered. */
  get isKnown(): boolean {
    return this.failures > 0 || this.averageMs > 0;
  }

  /** It answers quickly. */
  get isKnownQuick(): boolean {
    return this.quick && !this.hangs && !this.origin.isDown;
  }

  /** It is new, and its origin answers others quickly. */
  get isPresumedQuick(): boolean {
    return !this.isKnown && this.origin.quickLanes > 0 && !this.hangs && !this.origin.isDown;
  }

  /** As many rows are claimed as a lane is trusted with that is only presumed to be quick. */
  get isClaimedFull(): boolean {
    return this.claimed >= this.window;
  }

  /**
   * @param elapsedMs from the request to its end
   * @param now monotonic milliseconds
   */
  judge(verdict: Verdict, elapsedMs: number, now: number): void {
    this.lastEnded = now;
    if (verdict === 'unreachable') this.origin.missed(now);
    if (verdict === 'unreachable' || verdict === 'nothing') return;
    this.origin.reached();
    this.count(-1);
    if (verdict === 'failed') this.fail();
    else this.succeed(elapsedMs, now);
    this.count(1);
  }

  /** It has a request without an answer, and its origin has answered nobody for long. @param now monotonic milliseconds */
  unanswered(now: number): void {
    this.hangsFrom = now;
    this.origin.hangsFrom = now;
  }

  /** It leaves the bolt's memory. */
  forget(): void {
    this.count(-1);
  }

  /** Nobody has heard of its origin since a request began that has waited for long. */
  private get hangs(): boolean {
    return this.hangsFrom > this.origin.answeredAt;
  }

  private fail(): void {
    if (++this.failures < MAX_FAILURES_IN_A_ROW) return;
    this.quick = false;
    this.window = Math.max(1, this.window >> 1);
  }

  private succeed(elapsedMs: number, now: number): void {
    this.origin.answeredAt = now;
    const average = this.averageMs;
    this.averageMs = average === 0 ? Math.max(1, elapsedMs) : average + (elapsedMs - average) * NEWEST_WEIGHT;
    this.failures = 0;
    this.quick = this.averageMs < SLOW_MS;
    this.window = Math.min(this.maxWindow, this.window + 1);
  }

  private count(change: 1 | -1): void {
    if (this.quick) this.origin.quickLanes += change;
    else if (this.isKnown) this.origin.otherLanes += change;
  }
}

/**
 * The rows of a lane that wait in one phase behind a resource without room, in wake order. `active`: the first of them
 * represents the line in the queue. `parked`: the queue does not look at the line until the resource has room.
 */
export class Line<Row extends Waiting = Waiting> {
  state: 'idle' | 'active' | 'parked' = 'idle';
  /** The resource that had no room. */
  parkedOn: Resource | undefined;
  /** The resource whose room the line was given; passed on when the line cannot use it. */
  wokenBy: Resource | undefined;
  /** What stands for it among the lines that wait for that resource. */
  entry: Ordered | undefined;
  private readonly rows = new OrderedRows<Row>();

  constructor(readonly lane: Lane<Row>) {}

  get size(): number {
    return this.rows.size;
  }

  first(): Row | undefined {
    return this.rows.first();
  }

  insert(row: Row): void {
    this.rows.add(row);
    row.inLine = true;
  }

  remove(row: Row): void {
    row.inLine = false;
    this.rows.delete(row);
  }

  all(): Iterable<Row> {
    return this.rows.all();
  }
}
