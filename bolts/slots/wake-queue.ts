import { Heap } from '../../topology/core/heap';
import { type HeldRow, isBefore } from '../held-row';
import type { Line, Phase, Resource } from './line';
import type { Host } from './resources';

/** Rows without room that are put aside in one call. */
const LOOKS = 500;

/** Says what keeps a row from going on, and how much room a resource has. */
export interface Gate {
  /** The first resource of the row's lane without room. */
  blocker(row: HeldRow, phase: Phase): Resource | undefined;
  room(resource: Resource, phase: Phase): number;
}

/**
 * Rows that wait for their time and for room, in wake order.
 *
 * 1. *A row without room holds nobody else*: it moves to the line of its lane, which is looked at again when the resource
 *    that had no room has some.
 * 2. *Within a lane the order is (time, id)*: nobody passes the line of its own lane.
 * 3. *Room is never left unused*: a line that was given room and cannot use it, because another resource has none, passes
 *    it on.
 */
export class WakeQueue {
  private readonly heap = new Heap<HeldRow>(isBefore);
  private readonly parkedLines = new Set<Line>();
  private parkedRows = 0;
  private all = 0;

  constructor(
    private readonly phase: Phase,
    private readonly gate: Gate,
  ) {}

  get size(): number {
    return this.all;
  }

  /** Rows that do not wait for an account or a host. */
  get ready(): number {
    return this.all - this.parkedRows;
  }

  /** Of those, how many could go on at a time; an upper bound. */
  readyAt(now: number): number {
    const next = this.nextAt();
    return next === undefined || next > now ? 0 : this.ready;
  }

  add(row: HeldRow): void {
    row.queue = this.phase;
    this.all++;
    this.heap.push(row);
  }

  /**
   * Takes out the first row whose time is not after `until` and that has room. Gives up after many without room, so that a
   * crowd that waits for one host does not stop the process; the next call goes on from there.
   */
  next(until: number): HeldRow | undefined {
    for (let looked = 0; looked < LOOKS; looked++) {
      const row = this.peek();
      if (row === undefined || row.at > until) return undefined;
      this.heap.pop();
      const line = row.lane.lines[this.phase];
      // Passing a parked line of its own lane would break the order; an active one has its first row behind this one.
      if (!row.inLine && line.state === 'parked') {
        this.parkedRows++;
        line.insert(row);
        continue;
      }
      const blocker = this.gate.blocker(row, this.phase);
      if (blocker === undefined) {
        this.takeOut(row);
        return row;
      }
      if (!row.inLine) line.insert(row);
      this.park(line, blocker);
    }
    return undefined;
  }

  /** The time of the first row that does not wait for room. */
  nextAt(): number | undefined {
    return this.peek()?.at;
  }

  /** The row waits no more. What room its line was given and cannot use now goes to others. */
  remove(row: HeldRow): void {
    const line = row.lane.lines[this.phase];
    this.takeOut(row);
    if (line.size > 0) return;
    // A line that waits for room with nobody in it would be passed over when there is some, and would keep the next row.
    if (line.state === 'parked') {
      this.unpark(line);
      line.wokenBy = undefined;
      return;
    }
    const { wokenBy } = line;
    line.wokenBy = undefined;
    if (wokenBy !== undefined) this.wake(wokenBy);
  }

  /** Something of the resource ended: lines that wait for it go on, as many as it has room for. */
  wake(resource: Resource): void {
    const parked = resource.parked[this.phase];
    if (parked.size === 0) return;
    for (let room = this.gate.room(resource, this.phase); room > 0; ) {
      const line = parked.pop();
      if (line === undefined) return;
      // It may have been woken by its host since it was parked here.
      if (line.parkedOn === resource && this.unpark(line)) room--;
    }
  }

  /** The host waits for no pool any more: all its lines go on. */
  wakeHost({ lanes }: Host): void {
    for (const { lines } of lanes.values()) {
      const line = lines[this.phase];
      if (line.state === 'parked') this.unpark(line);
    }
  }

  /** Rows that wait for an account or a host. */
  parked(): HeldRow[] {
    return [...this.parkedLines].flatMap((line) => line.all());
  }

  private takeOut(row: HeldRow): void {
    row.queue = undefined;
    this.all--;
    if (!row.inLine) return;
    const line = row.lane.lines[this.phase];
    const wasFirst = line.first() === row;
    line.remove(row);
    if (line.state === 'parked') this.parkedRows--;
    else if (wasFirst) this.stand(line);
  }

  private peek(): HeldRow | undefined {
    for (let row = this.heap.peek(); row !== undefined; row = this.heap.peek()) {
      const line = row.lane.lines[this.phase];
      const stands = row.inLine ? line.state === 'active' && line.first() === row : row.queue === this.phase;
      if (stands && row.queue === this.phase) return row;
      this.heap.pop();
    }
    return undefined;
  }

  private unpark(line: Line): boolean {
    this.parkedLines.delete(line);
    this.parkedRows -= line.size;
    line.wokenBy = line.parkedOn;
    line.parkedOn = undefined;
    return this.stand(line);
  }

  /** The line's first row stands for it among all others. */
  private stand(line: Line): boolean {
    const first = line.first();
    line.state = first === undefined ? 'idle' : 'active';
    if (first !== undefined) this.heap.push(first);
    return first !== undefined;
  }

  private park(line: Line, resource: Resource): void {
    const { wokenBy } = line;
    line.state = 'parked';
    line.wokenBy = undefined;
    line.parkedOn = resource;
    this.parkedRows += line.size;
    this.parkedLines.add(line);
    resource.parked[this.phase].push(line);
    if (wokenBy !== undefined && wokenBy !== resource) this.wake(wokenBy);
  }
}
