import type { Ack } from '../core/bolt';
import type { PartitionOffset } from './streams-client';

/** Acked tuples at the front are dropped from memory when they are this many. */
const DROP_AT_ONCE = 1_024;

/**
 * Which offset of each partition may be committed.
 *
 * 1. What is committed never passes a tuple that is not acked.
 * 2. Offsets may have gaps: the mark moves past offsets that never came.
 * 3. An ack of an older generation has no effect.
 * 4. An ack given twice counts once.
 * 5. A partition that stays continues at its mark, which is committed again.
 * 6. Only tuples that are not acked, and those above them, take memory.
 */
export class OffsetTracker {
  private windows = new Map<number, Window>();

  get partitions(): number[] {
    return [...this.windows.keys()];
  }

  /** Tuples that wait for their own ack or for that of a lower one. */
  get outstanding(): number {
    let sum = 0;
    for (const window of this.windows.values()) sum += window.outstanding;
    return sum;
  }

  /** Begins a generation. @returns the partitions that are no longer owned */
  assign(partitions: readonly number[]): number[] {
    const before = this.windows;
    this.windows = new Map(partitions.map((partition) => [partition, new Window(before.get(partition)?.mark)]));
    return [...before.keys()].filter((partition) => !this.windows.has(partition));
  }

  /** The offset below which everything is acked; undefined when nothing was tracked yet or the partition is not owned. */
  markOf(partition: number): number | undefined {
    return this.windows.get(partition)?.mark;
  }

  /** Offsets of a partition come in ascending order. */
  track(partition: number, offset: number): Ack {
    const window = this.windows.get(partition);
    return window === undefined ? () => undefined : window.track(offset);
  }

  /**
   * The marks that have moved, and what to call when they are committed.
   * @param all those that have not moved too
   */
  toCommit(all = false): { readonly positions: PartitionOffset[]; readonly committed: () => void } {
    const moved = [...this.windows].filter(
      ([, window]) => window.mark !== undefined && (all || window.mark !== window.committed),
    );
    const positions = moved.map(([partition, window]) => ({ partition, offset: window.mark as number }));
    return {
      positions,
      committed: () => {
        for (const [index, [, window]] of moved.entries())
          window.committed = (positions[index] as PartitionOffset).offset;
      },
    };
  }
}

/** The tuples of one partition in one generation. */
class Window {
  committed: number | undefined;
  private offsets: number[] = [];
  private acked: boolean[] = [];
  /** Index of the lowest that is not acked. */
  private head = 0;
  /** How many were dropped from memory before index 0. */
  private dropped = 0;

  constructor(public mark: number | undefined) {}

  get outstanding(): number {
    return this.offsets.length - this.head;
  }

  track(offset: number): Ack {
    const sequence = this.dropped + this.offsets.length;
    if (this.head === this.offsets.length) this.mark = offset;
    this.offsets.push(offset);
    this.acked.push(false);
    return () => this.ack(sequence);
  }

  private ack(sequence: number): void {
    const index = sequence - this.dropped;
    if (index < this.head || this.acked[index] === true) return;
    this.acked[index] = true;
    if (index !== this.head) return;
    const last = this.offsets.at(-1) as number;
    while (this.acked[this.head] === true) this.head++;
    this.mark = this.offsets[this.head] ?? last + 1;
    if (this.head < DROP_AT_ONCE) return;
    this.offsets = this.offsets.slice(this.head);
    this.acked = this.acked.slice(this.head);
    this.dropped += this.head;
    this.head = 0;
  }
}
