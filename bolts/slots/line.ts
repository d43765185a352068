import { Heap } from '../../topology/core/heap';
import { type HeldRow, isBefore } from '../held-row';
import type { Host } from './resources';

/** What a row waits for: 0 to be claimed, 1 to be started. */
export type Phase = 0 | 1;
export const TO_CLAIM = 0;
export const TO_START = 1;

/** Something of which only so much may be under way: an account, a host, a pool of slots for several hosts. */
export class Resource {
  /** Requests under way. */
  inFlight = 0;
  /** Those, and the rows that are claimed or being claimed for it. */
  used = 0;
  /** Lines that wait for room, by phase; the one with the first row is at hand. */
  readonly parked: readonly [Heap<Line>, Heap<Line>] = [new Heap(isLineBefore), new Heap(isLineBefore)];
}

export class AccountSlots extends Resource {
  /** The batch that is claiming rows of it; 0 when none is. One at a time, so that answers cannot change the order. */
  batch = 0;
  /** Lanes of it. */
  lanes = 0;

  constructor(readonly name: string) {
    super();
  }
}

/** The rows of one account for one host. */
export class Lane {
  /** Rows that belong to it, wherever they are. */
  rows = 0;
  readonly lines: readonly [Line, Line] = [new Line(), new Line()];

  constructor(
    readonly account: AccountSlots,
    readonly host: Host,
  ) {}
}

/**
 * The rows of a lane that wait in one phase behind a resource without room, in wake order. `active`: its first row stands
 * for it in the queue. `parked`: nobody looks at it until the resource has room.
 */
export class Line {
  state: 'idle' | 'active' | 'parked' = 'idle';
  /** Where it is parked. */
  parkedOn: Resource | undefined;
  /** The resource whose room it was given; passed on when the line cannot use it. */
  wokenBy: Resource | undefined;
  private rows: HeldRow[] = [];
  private head = 0;

  get size(): number {
    return this.rows.length - this.head;
  }

  first(): HeldRow | undefined {
    return this.rows[this.head];
  }

  insert(row: HeldRow): void {
    const { rows } = this;
    let at = rows.length;
    while (at > this.head && isBefore(row, rows[at - 1] as HeldRow)) at--;
    if (at === rows.length) rows.push(row);
    else rows.splice(at, 0, row);
    row.inLine = true;
  }

  remove(row: HeldRow): void {
    row.inLine = false;
    if (this.rows[this.head] !== row) this.rows.splice(this.rows.indexOf(row, this.head), 1);
    else if (++this.head * 2 > this.rows.length) {
      this.rows = this.rows.slice(this.head);
      this.head = 0;
    }
  }

  all(): readonly HeldRow[] {
    return this.rows.slice(this.head);
  }
}

function isLineBefore(one: Line, other: Line): boolean {
  const first = one.first();
  const second = other.first();
  if (first === undefined || second === undefined) return second !== undefined;
  return isBefore(first, second);
}
