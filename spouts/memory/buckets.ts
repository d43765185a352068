import type { Entry, Home } from './entry';
import { WakeHeap } from './wake-heap';

/** Width of a bucket. */
export const BUCKET_MS = 5_000;
/** A bucket is rid of entries that left when they are at least this many and at least half. */
const MIN_GONE_TO_TIDY = 1_000;

/** One slice of time. Its entries have no order, because the spout looks at most of them only once: when it opens the bucket. */
class Bucket implements Home {
  entries: Entry[] = [];
  private gone = 0;

  push(entry: Entry): void {
    entry.home = this;
    this.entries.push(entry);
  }

  left(): void {
    this.gone++;
    if (this.gone < MIN_GONE_TO_TIDY || this.gone * 2 < this.entries.length) return;
    this.entries = this.entries.filter((entry) => entry.home === this);
    this.gone = 0;
  }
}

/** The waiting entries of a channel by their wake: the near future in buckets, and in order what an opened bucket held. */
export class Buckets {
  private readonly buckets = new Map<number, Bucket>();
  private readonly opened = new WakeHeap();
  /** Everything that wakes before this is in the heap. Epoch milliseconds. */
  private openedUntil = Number.NEGATIVE_INFINITY;

  /** @param widthMs of a bucket */
  constructor(private readonly widthMs: number) {}

  get count(): number {
    return this.buckets.size;
  }

  add(entry: Entry): void {
    if (entry.wakeAt < this.openedUntil) {
      this.opened.push(entry);
      return;
    }
    const slice = Math.floor(entry.wakeAt / this.widthMs);
    let bucket = this.buckets.get(slice);
    if (bucket === undefined) {
      bucket = new Bucket();
      this.buckets.set(slice, bucket);
    }
    bucket.push(entry);
  }

  /** The first entry that wakes at `instant` or before, in (wake, id) order; it stays. Opens the buckets up to there. */
  peek(instant: number): Entry | undefined {
    if (instant >= this.openedUntil) this.openUntil(instant);
    const first = this.opened.peek();
    return first !== undefined && first.wakeAt <= instant ? first : undefined;
  }

  /** Takes out what `peek` showed. */
  pop(): Entry | undefined {
    return this.opened.pop();
  }

  /** When to look again, epoch milliseconds: no entry wakes earlier. +Infinity when none waits. */
  nextWake(): number {
    const first = this.opened.peek();
    if (first !== undefined) return first.wakeAt;
    let slice = Number.POSITIVE_INFINITY;
    for (const one of this.buckets.keys()) slice = Math.min(slice, one);
    return slice * this.widthMs;
  }

  private openUntil(instant: number): void {
    for (const [slice, bucket] of this.buckets) {
      if (slice * this.widthMs > instant) continue;
      this.buckets.delete(slice);
      for (const entry of bucket.entries) if (entry.home === bucket) this.opened.push(entry);
    }
    this.openedUntil = (Math.floor(instant / this.widthMs) + 1) * this.widthMs;
  }
}
