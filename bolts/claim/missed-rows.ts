import { Heap } from '../../topology/core/heap';
import { type BackOff, backOff } from '../../topology/core/retry-policy';
import type { HeldRow } from '../held-row';
import type { SendRow } from '../send-rows';
import { isBefore } from '../slots/line';

/** When a row that a claim left out is claimed again. */
const MISSED_BACK_OFF: BackOff = { baseMs: 50, capMs: 1_000 };
/** The same for a row that was dropped for it before, by how often. */
const DROPPED_BACK_OFF: BackOff = { baseMs: 2_000, capMs: 25_000 };
/** Claims that may leave a row out before its tuple is dropped. */
const MAX_MISSES = 8;
/** Rows of which it is remembered that they were dropped. */
const MAX_REMEMBERED = 1_000;
/** For how long after its tuple was dropped, or came again: longer than such a row waits, and than reconcile takes. */
const REMEMBER_MS = 60_000;

/** A plan whose tuple was dropped. */
interface Dropped {
  readonly version: number;
  readonly updatedAt: string;
  readonly times: number;
  /** When its tuple was dropped or came again, monotonic milliseconds. */
  readonly seenAt: number;
}

type Plan = Pick<SendRow, 'id' | 'version' | 'updatedAt'>;

/**
 * Rows that a claim left out though they wait: an application's transaction has them locked, or the database refuses to write
 * them. A claim with such a row waits for it up to a second, or is halved until it is found, so they are claimed apart from all
 * others, later and later.
 */
export class MissedRows {
  private readonly heap = new Heap<HeldRow>(isBefore);
  /** Rows that were dropped for it lately, by id. */
  private readonly dropped = new Map<number, Dropped>();

  constructor(private readonly random: () => number) {}

  /** When the next row may be claimed; rows that were taken out may still count. */
  get nextAt(): number | undefined {
    return this.heap.peek()?.at;
  }

  /** How long a row is to wait after a claim that left it out; undefined when its tuple is to be dropped. */
  delayAfter(misses: number): number | undefined {
    return misses > MAX_MISSES ? undefined : backOff(MISSED_BACK_OFF, misses, this.random());
  }

  /**
   * How long a row that comes again is to wait because it was dropped before, and how many misses it has; undefined for
   * others. An edited row is another plan, of which nothing is known.
   * @param now monotonic milliseconds
   */
  returning(row: Plan, now: number): { readonly delayMs: number; readonly misses: number } | undefined {
    const times = this.timesDropped(row, now);
    if (times === 0) return undefined;
    const { id, version, updatedAt } = row;
    this.dropped.set(id, { version, updatedAt, times, seenAt: now });
    return { delayMs: backOff(DROPPED_BACK_OFF, times, this.random()), misses: MAX_MISSES };
  }

  add(row: HeldRow): void {
    row.isMissed = true;
    this.heap.push(row);
  }

  /** Takes the row out, wherever it is. */
  remove(row: HeldRow): void {
    row.isMissed = false;
  }

  /** Takes out the first row whose time has come. */
  next(now: number): HeldRow | undefined {
    for (let row = this.heap.peek(); row !== undefined && row.at <= now; row = this.heap.peek()) {
      this.heap.pop();
      if (!row.isMissed) continue;
      row.isMissed = false;
      return row;
    }
    return undefined;
  }

  /** The tuple of the row is dropped because the row was missed too often. @param now monotonic milliseconds */
  rememberDropped(row: Plan, now: number): void {
    const { id, version, updatedAt } = row;
    const times = this.timesDropped(row, now) + 1;
    this.dropped.delete(id);
    this.dropped.set(id, { version, updatedAt, times, seenAt: now });
    if (this.dropped.size <= MAX_REMEMBERED) return;
    for (const first of this.dropped.keys()) {
      this.dropped.delete(first);
      return;
    }
  }

  /** The row was won. */
  forgetDropped(id: number): void {
    if (this.dropped.size > 0) this.dropped.delete(id);
  }

  private timesDropped({ id, version, updatedAt }: Plan, now: number): number {
    const last = this.dropped.get(id);
    if (last === undefined) return 0;
    if (last.version === version && last.updatedAt === updatedAt && now - last.seenAt <= REMEMBER_MS) return last.times;
    this.dropped.delete(id);
    return 0;
  }
}
