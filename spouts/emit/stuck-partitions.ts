import type { Clock, Timer } from '../../topology/core/clock';
import { backOff } from '../../topology/core/retry-policy';
import type { Entry } from '../memory/entry';

/** A partition that did not confirm is tried again after 250 ms, doubling up to 10 s. */
const failedPartition = { baseMs: 250, capMs: 10_000 };

interface StuckPartition {
  /** Pending entries that Kafka did not confirm. They may be in Kafka or not, so they are emitted again. */
  entries: Entry[];
  failures: number;
  timer: Timer | undefined;
}

/** The partitions of a channel's stream that did not confirm, each with its own back-off. */
export class StuckPartitions {
  private readonly stuck = new Map<number, StuckPartition>();

  /** @param onRetry called when a partition is to be tried again */
  constructor(
    private readonly clock: Clock,
    private readonly onRetry: (partition: number) => void,
  ) {}

  get size(): number {
    return this.stuck.size;
  }

  has(partition: number): boolean {
    return this.stuck.has(partition);
  }

  /** The partition did not confirm these entries; it is tried again later and later. */
  fail(partition: number, entries: readonly Entry[]): void {
    const one = this.stuck.get(partition) ?? { entries: [], failures: 0, timer: undefined };
    this.stuck.set(partition, one);
    one.entries = [...entries, ...one.entries];
    one.failures++;
    one.timer?.cancel();
    one.timer = this.clock.after(backOff(failedPartition, one.failures, 1), () => this.onRetry(partition));
  }

  /** Takes out the entries for which `take` says so, and leaves the others. */
  takeFrom(partition: number, take: (entries: readonly Entry[]) => { taken: Entry[]; left: Entry[] }): Entry[] {
    const one = this.stuck.get(partition);
    if (one === undefined) return [];
    const { taken, left } = take(one.entries);
    one.entries = left;
    return taken;
  }

  takeAll(partition: number): Entry[] {
    return this.takeFrom(partition, (entries) => ({ taken: [...entries], left: [] }));
  }

  /** The partition confirms again. */
  release(partition: number): void {
    this.stuck.get(partition)?.timer?.cancel();
    this.stuck.delete(partition);
  }

  close(): void {
    for (const { timer } of this.stuck.values()) timer?.cancel();
  }
}
