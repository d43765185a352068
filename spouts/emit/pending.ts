import type { Placement } from '../../topology/core/tuple';
import type { PartitionAck } from '../acks';
import type { Entry } from '../memory/entry';

/** The pending entries of a channel, by the Kafka partition to which their tuples went. */
export class Pending {
  private readonly partitions = new Map<number, Entry[]>();
  private readings = 0;

  /** The tuples were appended, in the order given. */
  placed(entries: readonly Entry[], placements: readonly Placement[]): void {
    for (const [index, entry] of entries.entries()) {
      const placement = placements[index];
      if (placement === undefined) throw new Error(`${entries.length} tuples, ${placements.length} placements`);
      entry.offset = placement.offset;
      entry.placedAfter = this.readings;
      const partition = this.partitions.get(placement.partition);
      if (partition === undefined) this.partitions.set(placement.partition, [entry]);
      else partition.push(entry);
    }
  }

  /** To be called before the acks are read; give the number to `settle`. */
  beginReading(): number {
    this.readings++;
    return this.readings;
  }

  /**
   * The entries that are settled by the acks: their offset is below the group's committed offset, or outside the log.
   * (So a partition that was consumed to its end leaves none.) A reading does not judge a tuple that was appended after it
   * began. An empty answer settles nothing.
   */
  settle(acks: readonly PartitionAck[], reading: number): Entry[] {
    const settled: Entry[] = [];
    if (acks.length === 0) return settled;
    const byPartition = new Map(acks.map((ack) => [ack.partition, ack]));
    for (const [partition, entries] of this.partitions) {
      const ack = byPartition.get(partition);
      const isSettled = ({ offset }: Entry) =>
        ack === undefined || offset < ack.committed || offset < ack.low || offset >= ack.high;
      let kept = 0;
      for (const entry of entries) {
        if (!entry.pending) continue;
        if (entry.placedAfter < reading && isSettled(entry)) {
          settled.push(entry);
          continue;
        }
        entries[kept] = entry;
        kept++;
      }
      entries.length = kept;
      if (kept === 0) this.partitions.delete(partition);
    }
    return settled;
  }
}
