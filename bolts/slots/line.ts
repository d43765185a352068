import type { AccountSlots, Origin, Resource } from './resources';

/** What a row waits for: 0 to be claimed, 1 to be started. */
export type Phase = 0 | 1;
export const TO_CLAIM = 0;
export const TO_START = 1;

/** What a line needs of a row. */
export interface Waiting {
  readonly id: number;
  /** When it may proceed, epoch milliseconds by the database's clock. Queues are ordered by it. */
  readonly at: number;
  /** It waits in the line of its lane for room, not for its time alone. */
  inLine: boolean;
}

export function isBefore(one: Waiting, other: Waiting): boolean {
  return one.at === other.at ? one.id < other.id : one.at < other.at;
}

/** The rows of one account for one origin. */
export class Lane<Row extends Waiting = Waiting> {
  /** Rows in the bolt's hands that belong to it. */
  rows = 0;
  readonly lines: readonly [Line<Row>, Line<Row>] = [new Line(), new Line()];

  constructor(
    readonly account: AccountSlots,
    readonly origin: Origin,
  ) {}
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
  private rows: Row[] = [];
  private head = 0;

  get size(): number {
    return this.rows.length - this.head;
  }

  first(): Row | undefined {
    return this.rows[this.head];
  }

  insert(row: Row): void {
    const { rows } = this;
    let at = rows.length;
    while (at > this.head && isBefore(row, rows[at - 1] as Row)) at--;
    if (at === rows.length) rows.push(row);
    else rows.splice(at, 0, row);
    row.inLine = true;
  }

  remove(row: Row): void {
    row.inLine = false;
    if (this.rows[this.head] !== row) this.rows.splice(this.rows.indexOf(row, this.head), 1);
    else if (++this.head * 2 > this.rows.length) {
      this.rows = this.rows.slice(this.head);
      this.head = 0;
    }
  }

  all(): readonly Row[] {
    return this.rows.slice(this.head);
  }
}

/** By their first rows. */
export function isLineBefore(one: Line, other: Line): boolean {
  const first = one.first();
  const second = other.first();
  if (first === undefined || second === undefined) return second !== undefined;
  return isBefore(first, second);
}
