import { Heap } from '../../topology/core/heap';
import type { Line, Waiting } from './line';
import { isBefore, type Ordered } from './ordered-rows';
import type { Resource } from './resources';

/** A line, at the place of its first row when it was added: the row itself may be gone before the entry. */
interface Entry<Row extends Waiting> extends Ordered {
  readonly line: Line<Row>;
}

/** Earlier entries of lines may be in the heap: as many as there were lines when it was last looked through, and so many more. */
const MAX_EARLIER = 1_000;

/**
 * Lines that wait for a resource, by their first rows. The last entry of a line stands for it: where each entry were added again when
 * its first row has changed, a line would have as many of them as it ever had first rows, and each look would go over all.
 */
export class ParkedLines<Row extends Waiting> {
  private readonly entries = new Heap<Entry<Row>>(isBefore);
  private maxEntries = MAX_EARLIER;

  constructor(private readonly resource: Resource) {}

  /** An upper bound. */
  get size(): number {
    return this.entries.size;
  }

  /** Adds a line, once more when it has another first row. */
  push(line: Line<Row>): void {
    const first = line.first();
    if (first === undefined) return;
    const entry = { line, id: first.id, at: first.at };
    line.entry = entry;
    this.entries.push(entry);
    if (this.entries.size <= this.maxEntries) return;
    this.entries.keep((one) => this.counts(one));
    this.maxEntries = 2 * this.entries.size + MAX_EARLIER;
  }

  pop(): Line<Row> | undefined {
    for (let entry = this.entries.pop(); entry !== undefined; entry = this.entries.pop()) {
      if (!this.counts(entry)) continue;
      const { line, id, at } = entry;
      const first = line.first();
      if (first?.id === id && first.at === at) return line;
      // Its first row was taken out.
      this.push(line);
    }
    return undefined;
  }

  /** It is the last one of its line, which may have been woken otherwise since it was added. */
  private counts(entry: Entry<Row>): boolean {
    return entry.line.entry === entry && entry.line.parkedOn === this.resource;
  }
}
