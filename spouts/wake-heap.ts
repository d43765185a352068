import { type Entry, type Home, isBefore } from './entry';

/** Entries that left are swept out when they are more than this and more than half. */
const TIDY = 1_000;

/** Waiting entries, the first by (wake, id) at hand: a binary heap. Entries that left are skipped when they come up. */
export class WakeHeap implements Home {
  private entries: Entry[] = [];
  private gone = 0;

  /** Entries that wait here. */
  get size(): number {
    return this.entries.length - this.gone;
  }

  push(entry: Entry): void {
    entry.home = this;
    const { entries } = this;
    let at = entries.length;
    entries.push(entry);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = entries[parent] as Entry;
      if (!isBefore(entry, above)) break;
      entries[at] = above;
      at = parent;
    }
    entries[at] = entry;
  }

  /** The first entry, which stays. */
  peek(): Entry | undefined {
    for (let first = this.entries[0]; first !== undefined; first = this.entries[0]) {
      if (first.home === this) return first;
      this.gone--;
      this.dropFirst();
    }
    return undefined;
  }

  /** Takes the first entry out. */
  pop(): Entry | undefined {
    const first = this.peek();
    if (first === undefined) return undefined;
    first.home = undefined;
    this.dropFirst();
    return first;
  }

  left(): void {
    this.gone++;
    if (this.gone < TIDY || this.gone * 2 < this.entries.length) return;
    const waiting = this.entries.filter((entry) => entry.home === this);
    this.entries = [];
    this.gone = 0;
    for (const entry of waiting) this.push(entry);
  }

  private dropFirst(): void {
    const { entries } = this;
    const last = entries.pop();
    if (last === undefined || entries.length === 0) return;
    const half = entries.length >> 1;
    let at = 0;
    while (at < half) {
      let child = 2 * at + 1;
      let below = entries[child] as Entry;
      const right = entries[child + 1];
      if (right !== undefined && isBefore(right, below)) {
        child++;
        below = right;
      }
      if (!isBefore(below, last)) break;
      entries[at] = below;
      at = child;
    }
    entries[at] = last;
  }
}
