import type { Acks, PartitionAck } from '../../spouts/acks';
import { due, topicName } from '../../topology/streams';
import type { KafkaAdmin } from './kafka-admin';
import { groupName } from './names';

/** The acks of a channel's bolt: the committed offsets of its group. */
export class KafkaAcks implements Acks {
  constructor(
    private readonly admin: KafkaAdmin,
    private readonly namespace: string,
  ) {}

  async read(channel: string): Promise<PartitionAck[]> {
    const topic = topicName(this.namespace, due(channel).name);
    // The commits first: what is committed lies within the log as it is read afterwards.
    const committed = await this.admin.committed(groupName(this.namespace, channel), topic);
    const logs = await this.admin.logsIfKnown(topic);
    return logs.map(({ partition, low, high }) => ({
      partition,
      committed: committed.get(partition) ?? -1,
      // Nothing lies outside of a log that nobody knows.
      ...(high === undefined ? { low: 0, high: Number.POSITIVE_INFINITY } : { low, high }),
    }));
  }
}
