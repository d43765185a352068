import { topicName } from '../../topology/streams';
import type { GroupOwner, KafkaAdmin } from './kafka-admin';
import { AssignerProtocol } from './kafkajs';
import { groupName } from './names';

/** A stream and the component that reads it, by their names without namespace. */
export interface Reading {
  readonly component: string;
  readonly stream: string;
}

/** One partition of a stream and who reads it. */
export interface PartitionLag extends Reading {
  readonly partition: number;
  /** The client id of the owner, `host/pid` for workers; null when nobody owns it. */
  readonly owner: string | null;
  /** Null when the component has committed nothing there yet. */
  readonly committed: number | null;
  readonly low: number;
  readonly high: number;
  /** Records that are not consumed yet; null when the component has committed nothing yet. */
  readonly lag: number | null;
}

/** The lag of each partition. Throws Unavailable. */
export async function readLag(
  admin: KafkaAdmin,
  namespace: string,
  readings: readonly Reading[],
): Promise<PartitionLag[]> {
  const lags: PartitionLag[] = [];
  for (const { component, stream } of readings) {
    const topic = topicName(namespace, stream);
    const group = groupName(namespace, component);
    const committed = await admin.committed(group, topic);
    const [logs, members] = [await admin.logs(topic), await admin.members(group)];
    const commits = [...committed.values()].some((offset) => offset >= 0);
    const owners = ownersOf(members, topic);
    for (const { partition, low, high } of logs) {
      const offset = committed.get(partition) ?? -1;
      // Where a group has committed nothing yet, it begins at the first record.
      const position = offset >= 0 ? Math.max(offset, low) : low;
      lags.push({
        component,
        stream,
        partition,
        owner: owners.get(partition) ?? null,
        committed: offset >= 0 ? offset : null,
        low,
        high,
        lag: commits ? high - position : null,
      });
    }
  }
  return lags;
}

function ownersOf(members: readonly GroupOwner[], topic: string): Map<number, string> {
  const owners = new Map<number, string>();
  for (const { clientId, assignment } of members) {
    const partitions = AssignerProtocol.MemberAssignment.decode(assignment)?.assignment[topic] ?? [];
    for (const partition of partitions) owners.set(partition, clientId);
  }
  return owners;
}
