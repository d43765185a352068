import { changeEventCodec } from '../../../connectors/debezium/change-event';
import { KafkaAdmin } from '../../../connectors/kafka/kafka-admin';
import { kafkaClient } from '../../../connectors/kafka/kafka-client';
import { KafkaStreams } from '../../../connectors/kafka/kafka-streams';
import { systemClock } from '../../../topology/core/clock';
import type { GroupMember, SpoutListener } from '../../../topology/runtime/streams-client';
import { type Environment, required } from '../../../topology/settings/environment';
import { scheduleChanges } from '../../../topology/streams';

interface Seen {
  readonly id: number;
  /** Epoch milliseconds. */
  readonly at: number;
}

/** Notes when changes come through CDC. It reads them as spouts do, because it must outlive brokers too. */
export class ChangesSeen {
  readonly all: Seen[] = [];
  private readonly positions = new Map<number, number>();
  private member: GroupMember | null = null;

  private constructor(
    private readonly admin: KafkaAdmin,
    private readonly streams: KafkaStreams,
  ) {}

  static async start(environment: Environment): Promise<ChangesSeen> {
    const brokers = required(environment, 'KAFKA_BROKERS');
    const options = { brokers, clientId: 'changes-seen', log: () => undefined };
    const admin = new KafkaAdmin(kafkaClient(options));
    const streams = new KafkaStreams(options, admin, systemClock, environment.DOWNSPOUT_NAMESPACE);
    const seen = new ChangesSeen(admin, streams);
    seen.member = await streams.follow('changes-seen', scheduleChanges(changeEventCodec).name, seen.listener);
    return seen;
  }

  async close(): Promise<void> {
    await this.member?.leave();
    await Promise.all([this.streams.close(), this.admin.close()]);
  }

  private readonly listener: SpoutListener = {
    rebalancing: () => undefined,
    crashed: (error) => {
      throw error;
    },
    positionOf: (partition) => this.positions.get(partition),
    assigned: (_, starts) => {
      for (const { partition, offset } of starts) this.positions.set(partition, offset);
    },
    records: (partition, records) => {
      for (const { offset, value } of records) {
        const change = value === null ? null : changeEventCodec.decode(value);
        if (change !== null) this.all.push({ id: change.id, at: systemClock.now() });
        this.positions.set(partition, offset + 1);
      }
      return records.length;
    },
  };
}
