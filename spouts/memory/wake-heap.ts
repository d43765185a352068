import { Heap } from '../../topology/core/heap';
import type { Entry, Home } from './entry';
import { isBefore } from './position';

/** The heap is rid of entries that left when they are at least this many and at least half. */
const MIN_GONE_TO_TIDY = 1_000;

/** Waiting entries, the first by (wake, id) at hand. Entries that left are skipped when they come up. */
export class WakeHeap implements Home {
  private readonly entries = new Heap<Entry>(isBefore);
  private gone = 0;

  /** How many entries wait here. */
  get size(): number {
    return this.entries.size - this.gone;
  }

  push(entry: Entry): void {
    entry.home = this;
    this.entries.push(entry);
  }

  /** The first entry, which stays. */
  peek(): Entry | undefined {
    for (let first = this.entries.peek(); first !== undefined; first = this.entries.peek()) {
      if (first.home === this) return first;
      this.gone--;
      this.entries.pop();
    }
    return undefined;
  }

  /** Takes the first entry out. */
  pop(): Entry | undefined {
    const first = this.peek();
    if (first === undefined) return undefined;
    first.home = undefined;
    return this.entries.pop();
  }

  left(): void {
    this.gone++;
    if (this.gone < MIN_GONE_TO_TIDY || this.gone * 2 < this.entries.size) return;
    this.entries.keep((entry) => entry.home === this);
    this.gone = 0;
  }
}
