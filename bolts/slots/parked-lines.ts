import { Heap } from '../../topology/core/heap';
import { isBefore, type Line, type Waiting } from './line';
import type { Resource } from './resources';

interface Entry<Row extends Waiting> {
  readonly line: Line<Row>;
  /** Its first row when it was added. */
  readonly first: Row;
}

/** Lines that wait for a resource, by their first rows. */
export class ParkedLines<Row extends Waiting> {
  private readonly entries = new Heap<Entry<Row>>((one, other) => isBefore(one.first, other.first));

  constructor(private readonly resource: Resource) {}

  /** An upper bound. */
  get size(): number {
    return this.entries.size;
  }

  /** Adds a line, once more when it has another first row. */
  push(line: Line<Row>): void {
    const first = line.first();
    if (first !== undefined) this.entries.push({ line, first });
  }

  pop(): Line<Row> | undefined {
    for (let entry = this.entries.pop(); entry !== undefined; entry = this.entries.pop()) {
      const { line, first } = entry;
      // It may have been woken otherwise since it was added.
      if (line.parkedOn !== this.resource) continue;
      const current = line.first();
      if (current === first) return line;
      // Either a row came before its first, and it was added again for that, or its first was taken out.
      if (current !== undefined && isBefore(first, current)) this.push(line);
    }
    return undefined;
  }
}
