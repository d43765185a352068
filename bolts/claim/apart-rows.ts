import { Heap } from '../../topology/core/heap';
import { type ApartKind, apartKindOf, type HeldRow } from '../held-row';
import { isBefore, TO_CLAIM } from '../slots/line';
import type { SendSlots } from '../slots/send-slots';
import type { Suspects } from '../slots/suspects';

/** Payloads of one batch: an update logs a row twice, and a replication group refuses transactions of more than 150 MB. */
export const MAX_BATCH_BYTES = 32 * 1024 * 1024;
/** Rows that one call looks at, and how long after such a call the next one looks again. */
const MAX_LOOKS_PER_CALL = 100;
const REST_MS = 10;

/** Rows in the order of the times at which they may be claimed; rows that were taken out are passed over. */
class Waiting {
  private readonly heap = new Heap<HeldRow>(isBefore);
  private restsUntil = Number.NEGATIVE_INFINITY;

  /** When the next row may be looked at; rows that were taken out may still count. */
  get nextAt(): number | undefined {
    const first = this.heap.peek();
    return first === undefined ? undefined : Math.max(first.at, this.restsUntil);
  }

  add(row: HeldRow): void {
    row.waitsApart = true;
    this.heap.push(row);
  }

  /** The first row whose time has come. */
  first(now: number): HeldRow | undefined {
    for (let row = this.heap.peek(); row !== undefined && row.at <= now; row = this.heap.peek()) {
      if (row.waitsApart) return row;
      this.heap.pop();
    }
    return undefined;
  }

  takeFirst(row: HeldRow): void {
    this.heap.pop();
    row.waitsApart = false;
  }

  rest(until: number): void {
    this.restsUntil = until;
  }
}

/**
 * Rows that are claimed apart from all others. They have lost their place in the order of their account, so they keep no
 * other batch of it waiting.
 *
 * 1. *Missed rows*, which earlier claims left out, keep no claim of other rows waiting for their locks.
 * 2. *Suspects*, which may end their worker, are claimed no more at a time than `Suspects` says. The first of them is not
 *    passed by others while there are too many.
 * 3. *One call looks at a bounded number of rows*, however many wait.
 */
export class ApartRows {
  private readonly waiting: Readonly<Record<ApartKind, Waiting>> = { missed: new Waiting(), suspect: new Waiting() };

  constructor(
    private readonly slots: SendSlots<HeldRow>,
    private readonly suspects: Suspects,
  ) {}

  nextAt(kind: ApartKind): number | undefined {
    return this.waiting[kind].nextAt;
  }

  add(row: HeldRow, kind: ApartKind): void {
    this.waiting[kind].add(row);
  }

  /** Takes the row out, wherever it is. */
  remove(row: HeldRow): void {
    row.waitsApart = false;
  }

  /**
   * Takes out rows to be claimed.
   * @param batch gets them, up to `maxRows`
   * @param mayClaim says no of rows that were dropped
   * @returns rows that were taken out and have no room now
   */
  takeInto(
    batch: HeldRow[],
    kind: ApartKind,
    now: number,
    maxRows: number,
    mayClaim: (row: HeldRow) => boolean,
  ): readonly HeldRow[] {
    const waiting = this.waiting[kind];
    const withoutRoom: HeldRow[] = [];
    let bytes = 0;
    for (let looks = 0; batch.length < maxRows && bytes < MAX_BATCH_BYTES; looks++) {
      const row = waiting.first(now);
      if (row === undefined || this.mustWait(row, batch)) break;
      if (looks === MAX_LOOKS_PER_CALL) {
        waiting.rest(now + REST_MS);
        break;
      }
      waiting.takeFirst(row);
      if (!mayClaim(row)) continue;
      if (!this.hasRoom(row)) {
        withoutRoom.push(row);
        continue;
      }
      this.slots.take(row);
      this.suspects.take(row);
      batch.push(row);
      bytes += row.bytes;
    }
    return withoutRoom;
  }

  private mustWait(row: HeldRow, [first]: readonly HeldRow[]): boolean {
    if (apartKindOf(row) === 'missed') return false;
    // Suspects that earlier claims left out too are claimed one by one, because others would wait for their locks.
    return (first !== undefined && (row.misses > 0 || first.misses > 0)) || !this.suspects.fits(row);
  }

  private hasRoom(row: HeldRow): boolean {
    return this.suspects.hasShare(row) && this.slots.blocker(row, TO_CLAIM) === undefined;
  }
}
