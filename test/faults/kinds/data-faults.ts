import { changeEventCodec } from '../../../connectors/debezium/change-event';
import { KafkaAdmin } from '../../../connectors/kafka/kafka-admin';
import { kafkaClient } from '../../../connectors/kafka/kafka-client';
import { KafkaStreams } from '../../../connectors/kafka/kafka-streams';
import { groupName } from '../../../connectors/kafka/names';
import { systemClock } from '../../../topology/core/clock';
import { required } from '../../../topology/settings/environment';
import { readTopologyFile } from '../../../topology/settings/topology-settings';
import { until } from '../../support/until';
import type { Arena } from '../world/arena';
import type { Fault } from './fault';
import { amid, burst } from './moments';

const HOUR_MS = 3_600_000;
/** A tuple that cannot start is dropped half a minute after its wake, and reconcile brings the row back. */
const DROPPED_AFTER_MS = 40_000;
const DUE_TOPIC = 'due.webhook';

export const dataFaults: readonly Fault[] = [
  {
    name: 'changes come again, doubled, as of an hour ago and as of now',
    short: false,
    mostLateMs: 10_000,
    run: async (arena) => {
      await burst(arena, 1_000, 4_000);
      for (let round = 0; round < 3; round++) {
        await replay(arena, HOUR_MS);
        await replay(arena, 0);
        await systemClock.sleep(1_000);
      }
    },
  },
  {
    name: 'an application holds one due row for longer than a bolt keeps its tuple',
    short: false,
    mostLateMs: 10_000,
    p95LateMs: 2_000,
    run: async (arena) => {
      const { sql, clients } = arena;
      await clients.burst({ count: 1, dueAt: systemClock.now() + 2_000, account: 'held', patient: true });
      await sql.transaction(async (holder) => {
        await holder.rows("SELECT id FROM scheduled_messages WHERE account = 'held' FOR UPDATE");
        await systemClock.sleep(DROPPED_AFTER_MS / 2);
        await burst(arena, 300, 2_000);
        await amid(arena, 300);
        const emitted = await offsets(arena, (admin) => admin.logs(DUE_TOPIC));
        await until(
          'the offsets of the group go on',
          async () => {
            const committed = await offsets(arena, (admin) => admin.committed(groupName('', 'webhook'), DUE_TOPIC));
            return emitted.every(({ partition, high }) => (committed.get(partition) ?? 0) >= high);
          },
          DROPPED_AFTER_MS,
        );
      });
    },
  },
  {
    name: 'plain SQL edits forget the version, around the due instant',
    short: true,
    mostLateMs: 10_000,
    run: async (arena) => {
      const { clients, sql } = arena;
      for (let round = 0; round < 4; round++) {
        const keys = await clients.burst({ count: 200, dueAt: systemClock.now() + 2_500, query: '?delay=100' });
        for (const key of keys) {
          await clients.overwrite(key, async (payload) => {
            const { affectedRows } = await sql.run(
              `UPDATE scheduled_messages SET payload = '${payload}' WHERE dedupe_key = '${key}' AND state = 'scheduled' AND in_doubt = 0`,
            );
            return affectedRows === 1;
          });
        }
      }
    },
  },
];

/** What Kafka says of offsets. */
async function offsets<T>({ environment }: Arena, ask: (admin: KafkaAdmin) => Promise<T>): Promise<T> {
  const brokers = required(environment, 'KAFKA_BROKERS');
  const admin = new KafkaAdmin(kafkaClient({ brokers, clientId: 'operator', log: () => undefined }));
  try {
    return await ask(admin);
  } finally {
    await admin.close();
  }
}

/** Appends what CDC would write for every message, as if it had been committed so long ago. */
async function replay({ sql, environment }: Arena, ago: number): Promise<void> {
  const kafka = { brokers: required(environment, 'KAFKA_BROKERS'), clientId: 'replay', log: () => undefined };
  const admin = new KafkaAdmin(kafkaClient(kafka));
  const streams = new KafkaStreams(kafka, admin, systemClock, '');
  const { partitions } = readTopologyFile().settings.spout;
  const rows = await sql.rows<[number, number, string, string, number | null, number]>(
    'SELECT id, shard, account, channel, wake_at, version FROM scheduled_messages',
  );
  const records = rows.flatMap(([id, shard, account, channel, wakeAt, version]) => {
    const committedAt = systemClock.now() - ago;
    const one = { id, shard, account, channel, wakeAt, version, committedAt, deleted: false };
    const older = { ...one, version: Math.max(1, version - 1), wakeAt: wakeAt === null ? null : wakeAt - 1_000 };
    return [one, one, older].map((change) => ({
      partition: shard % partitions,
      value: changeEventCodec.encode(change),
    }));
  });
  try {
    await streams.append('schedule-changes', records);
  } finally {
    await streams.close();
    await admin.close();
  }
}
