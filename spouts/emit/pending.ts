import type { Placement } from '../../topology/core/tuple';
import type { PartitionAck } from '../acks';
import type { Entry } from '../memory/entry';

/** Pending entries of one partition. */
interface Placed {
  entries: Entry[];
  /** Their offsets ascend, so that what is committed is at the front. Where a topic was made anew they begin again. */
  ascend: boolean;
  /** With more than so many it is looked through, for entries that are not pending any more. */
  most: number;
}

/** Between two looks through a partition so many entries may have come to it, besides as many as were left. */
const LOOKED_THROUGH_AFTER = 1_000;

/** The pending entries of a channel, by the Kafka partition to which their tuples went. */
export class Pending {
  private readonly partitions = new Map<number, Placed>();
  private readings = 0;

  /** The tuples were appended, in the order given. */
  placed(entries: readonly Entry[], placements: readonly Placement[]): void {
    for (const [index, entry] of entries.entries()) {
      const placement = placements[index];
      if (placement === undefined) throw new Error(`${entries.length} tuples, ${placements.length} placements`);
      entry.offset = placement.offset;
      entry.placedAfter = this.readings;
      const partition = this.partitions.get(placement.partition);
      if (partition === undefined) {
        this.partitions.set(placement.partition, { entries: [entry], ascend: true, most: LOOKED_THROUGH_AFTER });
        continue;
      }
      partition.ascend &&= (partition.entries.at(-1)?.offset ?? -1) < entry.offset;
      partition.entries.push(entry);
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
    for (const [partition, placed] of this.partitions) {
      settlePartition(placed, byPartition.get(partition), reading, settled);
      if (placed.entries.length === 0) this.partitions.delete(partition);
    }
    return settled;
  }
}

/** A crowd leaves tens of thousands of entries in a partition, so only as many are looked at as are settled, where that is enough. */
function settlePartition(placed: Placed, ack: PartitionAck | undefined, reading: number, settled: Entry[]): void {
  const { entries, ascend } = placed;
  const mayEndEarly =
    ascend && entries.length <= placed.most && ack !== undefined && (entries.at(-1)?.offset ?? -1) < ack.high;
  let kept = 0;
  let looked = 0;
  let areInOrder = true;
  for (const entry of entries) {
    const isSettled =
      ack === undefined || entry.offset < ack.committed || entry.offset < ack.low || entry.offset >= ack.high;
    if (mayEndEarly && !isSettled) break;
    looked++;
    if (!entry.pending) continue;
    if (entry.placedAfter < reading && isSettled) {
      settled.push(entry);
      continue;
    }
    areInOrder &&= kept === 0 || (entries[kept - 1] as Entry).offset < entry.offset;
    entries[kept++] = entry;
  }
  entries.splice(kept, looked - kept);
  if (mayEndEarly) return;
  placed.ascend = areInOrder;
  placed.most = 2 * entries.length + LOOKED_THROUGH_AFTER;
}
