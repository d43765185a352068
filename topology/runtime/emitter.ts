import { keyPartition } from '../core/key-partition';
import type { Emit } from '../core/spout';
import type { Topology } from '../core/topology';
import type { StreamsClient } from './streams-client';

/**
 * The `emit` of a spout: encodes the values and chooses each one's partition by the grouping that the stream's bolts
 * agreed on. The hash is Kafka's own, so every spout and every version chooses the same.
 */
export function emitterOf(topology: Topology, spout: string, streams: StreamsClient): Emit {
  const groupings = new Map(
    topology.connections
      .filter((connection) => connection.spout === spout)
      .map(({ stream, grouping }) => [stream.name, grouping]),
  );
  return async (target, values) => {
    const grouping = groupings.get(target.name);
    if (grouping === undefined) throw new Error(`spout ${spout} does not say that it emits ${target.name}`);
    if (values.length === 0) return [];
    const of = await streams.partitions(target.name);
    const records = values.map((value) => ({
      partition: keyPartition(grouping.key(value), of),
      value: target.codec.encode(value),
    }));
    const offsets = await streams.append(target.name, records);
    return records.map(({ partition }, index) => ({ partition, offset: offsets[index] as number }));
  };
}
