import { PartlyAppended } from '../core/errors';
import { keyPartition } from '../core/key-partition';
import { type Emit, type PartitionOf, PartlyEmitted } from '../core/spout';
import type { Topology } from '../core/topology';
import type { StreamsClient } from './streams-client';

/** What a spout emits with. */
export interface Emitter {
  readonly emit: Emit;
  readonly partitionOf: PartitionOf;
}

/**
 * The emitter of a spout: encodes the values and chooses each one's partition by the grouping that the stream's bolts
 * agreed on. The hash is Kafka's own, so every spout and every version chooses the same.
 */
export function emitterOf(topology: Topology, spout: string, streams: StreamsClient): Emitter {
  const groupings = new Map(
    topology.connections
      .filter((connection) => connection.spout === spout)
      .map(({ stream, grouping }) => [stream.name, grouping]),
  );
  const counts = new Map<string, number>();
  const groupingOf = (stream: string) => {
    const grouping = groupings.get(stream);
    if (grouping === undefined) throw new Error(`spout ${spout} does not say that it emits ${stream}`);
    return grouping;
  };
  return {
    async emit(target, values) {
      const grouping = groupingOf(target.name);
      if (values.length === 0) return [];
      const of = await streams.partitions(target.name);
      counts.set(target.name, of);
      const records = values.map((value) => ({
        partition: keyPartition(grouping.key(value), of),
        value: target.codec.encode(value),
      }));
      try {
        const offsets = await streams.append(target.name, records);
        return records.map(({ partition }, index) => ({ partition, offset: offsets[index] as number }));
      } catch (error) {
        if (!(error instanceof PartlyAppended)) throw error;
        const emitted = records.map(({ partition }, index) => ({ partition, offset: error.offsets[index] }));
        throw new PartlyEmitted(error.message, emitted, { cause: error });
      }
    },
    partitionOf(target, value, place = { partitions: 0, partition: 0 }) {
      const partitions = counts.get(target.name);
      if (partitions === undefined) return undefined;
      if (place.partitions !== partitions) {
        place.partition = keyPartition(groupingOf(target.name).key(value), partitions);
        place.partitions = partitions;
      }
      return place.partition;
    },
  };
}
