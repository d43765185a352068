import { Heap } from '../../topology/core/heap';
import { type BackOff, backOff } from '../../topology/core/retry-policy';
import { type HeldRow, isSuspect } from '../held-row';
import type { SendRow } from '../send-rows';
import { isBefore } from '../slots/ordered-rows';

/** When a row that a claim left out is claimed again. */
const MISSED_BACK_OFF: BackOff = { baseMs: 50, capMs: 1_000 };
/** The same for a row that was dropped for it before, by how often. */
const DROPPED_BACK_OFF: BackOff = { baseMs: 2_000, capMs: 25_000 };
/** Claims that may leave a row out before its tuple is dropped. */
const MAX_MISSES = 8;
/** Suspects that may be claimed at a time after two workers ended with them; of each further one a quarter is left. */
const MAX_SUSPECTS = 64;
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
 * others, later and later. Suspects are here too, rows that may end their worker: few of them are claimed at a time, the fewer
 * the more workers ended with them.
 */
export class MissedRows {
  private readonly leftOut = new Heap<HeldRow>(isBefore);
  private readonly suspects = new Heap<HeldRow>(isBefore);
  /** Rows that were dropped for it lately, by id. */
  private readonly dropped = new Map<number, Dropped>();

  constructor(private readonly random: () => number) {}

  /** When the next row may be claimed, if it has room; rows that were taken out may still count. */
  get nextAt(): number | undefined {
    const [leftOut, suspect] = [this.leftOut.peek()?.at, this.suspects.peek()?.at];
    return leftOut === undefined || suspect === undefined ? (leftOut ?? suspect) : Math.min(leftOut, suspect);
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
    (isSuspect(row) ? this.suspects : this.leftOut).push(row);
  }

  /** Takes the row out, wherever it is. */
  remove(row: HeldRow): void {
    row.isMissed = false;
  }

  /** Suspects are to be claimed next. @param claimed suspects that are claimed already */
  areSuspectsNext(claimed: number): boolean {
    const suspect = first(this.suspects);
    if (suspect === undefined || !mayJoin(suspect, claimed)) return false;
    const leftOut = first(this.leftOut);
    return leftOut === undefined || isBefore(suspect, leftOut);
  }

  /** Takes out the first row that was left out and whose time has come. */
  nextLeftOut(now: number): HeldRow | undefined {
    return takeFirst(this.leftOut, (row) => row.at <= now);
  }

  /** The same of suspects, unless as many are claimed as may be. */
  nextSuspect(now: number, claimed: number): HeldRow | undefined {
    return takeFirst(this.suspects, (row) => row.at <= now && mayJoin(row, claimed));
  }

  /** Takes out the first suspect, if it has waited since then. */
  nextSuspectSince(since: number): HeldRow | undefined {
    return takeFirst(this.suspects, (row) => row.since < since);
  }

  /** The tuple of the row is dropped because the row was missed too often. @param now monotonic milliseconds */
  rememberDropped(row: Plan, now: number): void {
    const { id, version, updatedAt } = row;
    const times = this.timesDropped(row, now) + 1;
    this.dropped.delete(id);
    this.dropped.set(id, { version, updatedAt, times, seenAt: now });
    if (this.dropped.size <= MAX_REMEMBERED) return;
    for (const oldest of this.dropped.keys()) {
      this.dropped.delete(oldest);
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

function mayJoin({ recoveries }: HeldRow, claimed: number): boolean {
  return claimed < Math.max(1, MAX_SUSPECTS >> (2 * (recoveries - 2)));
}

/** The first row that was not taken out meanwhile. */
function first(heap: Heap<HeldRow>): HeldRow | undefined {
  for (let row = heap.peek(); row !== undefined; row = heap.peek()) {
    if (row.isMissed) return row;
    heap.pop();
  }
  return undefined;
}

function takeFirst(heap: Heap<HeldRow>, test: (row: HeldRow) => boolean): HeldRow | undefined {
  const row = first(heap);
  if (row === undefined || !test(row)) return undefined;
  heap.pop();
  row.isMissed = false;
  return row;
}
