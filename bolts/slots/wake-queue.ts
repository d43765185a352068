import { Heap } from '../../topology/core/heap';
import type { Lane, Line, Phase } from './line';
import { isBefore } from './ordered-rows';
import { ParkedLines } from './parked-lines';
import { type Resource, SharedSlots } from './resources';
import type { SlotRow } from './slot-row';
import { Turns } from './turns';

/** Rows without room that one call of `next` puts aside. */
const MAX_LOOKS_PER_CALL = 500;

/** Says what keeps a row from proceeding: the first resource without room. */
export type Gate<Row> = (row: Row, phase: Phase) => Resource | undefined;

type WaitingLines<Row extends SlotRow<Row>> = ParkedLines<Row> | Turns<Row>;

/**
 * Rows that wait for their time and for room, in wake order.
 *
 * 1. *A row without room holds nobody else*: it moves to the line of its lane. The queue looks at that line again when the
 *    resource that had no room has some.
 * 2. *Within a lane the order is (time, id)*: no row passes the line of its own lane. A row that comes later and is first in
 *    it moves the line forward.
 * 3. *Room is never left unused*: a line that was given room and cannot use it, because another resource has none, passes
 *    it on.
 */
export class WakeQueue<Row extends SlotRow<Row>> {
  private readonly heap = new Heap<Row>(isBefore);
  /** Lines that wait for room, by the resource that has none. The line with the first row comes first; at a pool, accounts take turns. */
  private readonly parkedOn = new WeakMap<Resource, WaitingLines<Row>>();
  private readonly parkedLines = new Set<Line<Row>>();
  private parkedRows = 0;
  private all = 0;
  /** The last call of `next` gave up before it had looked at all rows. */
  private gaveUp = false;

  constructor(
    private readonly phase: Phase,
    private readonly gate: Gate<Row>,
  ) {}

  get size(): number {
    return this.all;
  }

  /** Rows that do not wait for an account or an origin. */
  get ready(): number {
    return this.all - this.parkedRows;
  }

  /** Says, once, that the last call of `next` gave up: there may be rows to take out that it did not come to. */
  hasMore(): boolean {
    const { gaveUp } = this;
    this.gaveUp = false;
    return gaveUp;
  }

  /** How many of the ready rows could proceed at a time; an upper bound. */
  readyAt(now: number): number {
    const next = this.nextAt();
    return next === undefined || next > now ? 0 : this.ready;
  }

  add(row: Row): void {
    row.queue = this.phase;
    this.all++;
    this.heap.push(row);
  }

  /**
   * Takes out the first row whose time is not after `until` and that has room. Gives up after many rows without room, so
   * that a crowd that waits for one origin does not stop the process; the next call continues where this one ended.
   */
  next(until: number): Row | undefined {
    this.gaveUp = false;
    for (let looked = 0; looked < MAX_LOOKS_PER_CALL; looked++) {
      const row = this.peek();
      if (row === undefined || row.at > until) return undefined;
      this.heap.pop();
      const line = row.lane.lines[this.phase];
      // Passing a parked line of its own lane would break the order. The first row of an active line is behind this row.
      if (!row.inLine && line.state === 'parked') {
        this.parkedRows++;
        line.insert(row);
        // Lines wait in the order of their first rows.
        if (line.first() === row && line.parkedOn !== undefined) this.linesOn(line.parkedOn).push(line);
        continue;
      }
      const blocker = this.gate(row, this.phase);
      if (blocker === undefined) {
        this.takeOut(row);
        return row;
      }
      if (!row.inLine) line.insert(row);
      this.park(line, blocker);
    }
    this.gaveUp = true;
    return undefined;
  }

  /** The time of the first row that does not wait for room. */
  nextAt(): number | undefined {
    return this.peek()?.at;
  }

  /** Takes the row out, wherever it waits. Room that its line was given and cannot use now goes to other lines. */
  remove(row: Row): void {
    const line = row.lane.lines[this.phase];
    this.takeOut(row);
    if (line.size > 0) return;
    // An empty parked line would be given room that it cannot use, and the next row of its lane would wait behind it.
    if (line.state === 'parked') {
      this.unpark(line);
      line.wokenBy = undefined;
      return;
    }
    const { wokenBy } = line;
    line.wokenBy = undefined;
    if (wokenBy !== undefined) this.wake(wokenBy);
  }

  /** The resource may have more room: of the lines that wait for it, as many proceed as it has room for. */
  wake(resource: Resource): void {
    const parked = this.parkedOn.get(resource);
    if (parked === undefined) return;
    for (let room = resource.room; room > 0; ) {
      const line = parked.pop();
      if (line === undefined) return;
      if (this.unpark(line)) room--;
    }
  }

  /** The lane may proceed, whatever it waits for. */
  wakeLane({ lines }: Lane<Row>): void {
    const line = lines[this.phase];
    if (line.state === 'parked') this.unpark(line);
  }

  /** Wakes lines that wait for a time: those whose first row may proceed now. */
  wakeUntil(resource: Resource, now: number): void {
    for (let at = this.parkedAt(resource); at !== undefined && at <= now; at = this.parkedAt(resource)) {
      const line = this.parkedOn.get(resource)?.pop();
      if (line !== undefined) this.unpark(line);
    }
  }

  /** The time of the first row that waits for a resource. */
  parkedAt(resource: Resource): number | undefined {
    const parked = this.parkedOn.get(resource);
    const line = parked?.pop();
    if (line !== undefined) parked?.push(line);
    return line?.first()?.at;
  }

  /** Rows that wait for an account or an origin, of those that are wanted. There may be very many of them. */
  parked(isWanted: (row: Row) => boolean): Row[] {
    const rows: Row[] = [];
    for (const line of this.parkedLines) for (const row of line.all()) if (isWanted(row)) rows.push(row);
    return rows;
  }

  private takeOut(row: Row): void {
    row.queue = undefined;
    this.all--;
    if (!row.inLine) return;
    const line = row.lane.lines[this.phase];
    const wasFirst = line.first() === row;
    line.remove(row);
    if (line.state === 'parked') this.parkedRows--;
    else if (wasFirst) this.represent(line);
  }

  private peek(): Row | undefined {
    for (let row = this.heap.peek(); row !== undefined; row = this.heap.peek()) {
      const line = row.lane.lines[this.phase];
      const represents = row.inLine ? line.state === 'active' && line.first() === row : row.queue === this.phase;
      if (represents && row.queue === this.phase) return row;
      this.heap.pop();
    }
    return undefined;
  }

  private unpark(line: Line<Row>): boolean {
    this.parkedLines.delete(line);
    this.parkedRows -= line.size;
    line.wokenBy = line.parkedOn;
    line.parkedOn = undefined;
    return this.represent(line);
  }

  /** The line's first row represents it among all rows. */
  private represent(line: Line<Row>): boolean {
    const first = line.first();
    line.state = first === undefined ? 'idle' : 'active';
    if (first !== undefined) this.heap.push(first);
    return first !== undefined;
  }

  private park(line: Line<Row>, resource: Resource): void {
    const { wokenBy } = line;
    line.state = 'parked';
    line.wokenBy = undefined;
    line.parkedOn = resource;
    this.parkedRows += line.size;
    this.parkedLines.add(line);
    this.linesOn(resource).push(line);
    // A pool that has no room for this line may have some for another account's.
    if (wokenBy !== undefined && (wokenBy !== resource || resource instanceof SharedSlots)) this.wake(wokenBy);
  }

  private linesOn(resource: Resource): WaitingLines<Row> {
    let lines = this.parkedOn.get(resource);
    if (lines === undefined) {
      lines = resource instanceof SharedSlots ? new Turns<Row>(resource) : new ParkedLines<Row>(resource);
      this.parkedOn.set(resource, lines);
    }
    return lines;
  }
}
