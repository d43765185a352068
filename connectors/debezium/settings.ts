import { createHash } from 'node:crypto';
import { topicName } from '../../topology/streams';

/** The one table that is captured, and the columns that make up a plan. Updates of other columns make no event. */
const TABLE = 'scheduled_messages';
const COLUMNS = ['id', 'shard', 'account', 'channel', 'wake_at', 'version'];
/** MySQL's replication ids below this are left to servers. */
const FIRST_SERVER_ID = 100_000;

export interface CaptureOptions {
  /** Debezium's user, with host, port and database as Connect sees them. */
  readonly databaseUrl: string;
  /** host:port[,host:port] as Connect sees them. */
  readonly brokers: string;
  readonly namespace: string;
  /** How many partitions `schedule-changes` really has: create it first. */
  readonly partitions: number;
}

/** The names that belong to the capture of one deployment. */
export interface CaptureNames {
  readonly connector: string;
  readonly changes: string;
  readonly heartbeats: string;
  /** Debezium's own record of the schema: one partition, kept for ever, not compacted. */
  readonly history: string;
}

export function captureNames(namespace: string): CaptureNames {
  return {
    connector: topicName(namespace, 'schedule-changes'),
    changes: topicName(namespace, 'schedule-changes'),
    heartbeats: topicName(namespace, 'cdc-heartbeats'),
    history: topicName(namespace, 'cdc-schema-history'),
  };
}

/** The settings of Debezium's MySQL connector. They hold the password of Debezium's user. */
export function connectorSettings(options: CaptureOptions): Record<string, string> {
  const database = new URL(options.databaseUrl);
  const schema = decodeURIComponent(database.pathname.slice(1));
  const names = captureNames(options.namespace);
  return {
    'connector.class': 'io.debezium.connector.mysql.MySqlConnector',
    'tasks.max': '1',
    'database.hostname': database.hostname,
    'database.port': database.port || '3306',
    'database.user': decodeURIComponent(database.username),
    'database.password': decodeURIComponent(database.password),
    'database.server.id': String(serverId(names.connector)),
    'database.include.list': literal(schema),
    'table.include.list': `${literal(schema)}\\.${TABLE}`,
    'column.include.list': `${literal(schema)}\\.${TABLE}\\.(${COLUMNS.join('|')})`,
    'skip.messages.without.change': 'true',
    'include.schema.changes': 'false',
    // The spouts load rows themselves, so they need changes only, and Debezium needs no lock.
    'snapshot.mode': 'no_data',
    'snapshot.locking.mode': 'none',
    'tombstones.on.delete': 'false',
    'bigint.unsigned.handling.mode': 'long',
    ...historySettings(names, options.brokers),
    ...latencySettings,
    ...routingSettings(names, options),
    ...converterSettings,
  };
}

function historySettings(names: CaptureNames, brokers: string): Record<string, string> {
  return {
    'schema.history.internal.kafka.topic': names.history,
    'schema.history.internal.kafka.bootstrap.servers': brokers,
    'schema.history.internal.store.only.captured.tables.ddl': 'true',
    'schema.history.internal.store.only.captured.databases.ddl': 'true',
  };
}

const latencySettings = {
  // A linger, not an idle poll.
  'poll.interval.ms': '10',
  'producer.override.linger.ms': '0',
  // The Kafka client stops for ever at a compression that it does not know.
  'producer.override.compression.type': 'none',
  'heartbeat.interval.ms': '1000',
  // For so long CDC is silent after MySQL went away while the connector says RUNNING. The default is a minute.
  'connect.keep.alive.interval.ms': '1000',
  'retriable.restart.connector.wait.ms': '1000',
};

/** Their order counts: the partition is chosen from the whole event, before the event is flattened. */
function routingSettings(names: CaptureNames, options: CaptureOptions): Record<string, string> {
  const prefix = topicName(options.namespace, 'cdc');
  return {
    'topic.prefix': prefix,
    'topic.heartbeat.prefix': 'heartbeat',
    transforms: 'partition,flatten,changes,heartbeats',
    'transforms.partition.type': 'io.debezium.transforms.partitions.PartitionRouting',
    'transforms.partition.partition.payload.fields': 'change.shard',
    'transforms.partition.partition.topic.num': String(options.partitions),
    'transforms.flatten.type': 'io.debezium.transforms.ExtractNewRecordState',
    'transforms.flatten.delete.tombstone.handling.mode': 'rewrite',
    'transforms.flatten.add.fields': 'op,source.ts_ms',
    'transforms.flatten.replace.null.with.default': 'false',
    'transforms.changes.type': 'org.apache.kafka.connect.transforms.RegexRouter',
    'transforms.changes.regex': `.*\\.${TABLE}`,
    'transforms.changes.replacement': names.changes,
    'transforms.heartbeats.type': 'org.apache.kafka.connect.transforms.RegexRouter',
    'transforms.heartbeats.regex': `heartbeat\\.${literal(prefix)}`,
    'transforms.heartbeats.replacement': names.heartbeats,
  };
}

const converterSettings = Object.fromEntries(
  ['key', 'value'].flatMap((side) => [
    [`${side}.converter`, 'org.apache.kafka.connect.json.JsonConverter'],
    [`${side}.converter.schemas.enable`, 'false'],
    // Otherwise a NULL arrives as the column's default.
    [`${side}.converter.replace.null.with.default`, 'false'],
  ]),
) as Record<string, string>;

/** Debezium joins MySQL's replication under an id of its own: always the same for one connector, another for each. */
function serverId(connector: string): number {
  const digest = createHash('sha256').update(connector).digest().readUInt32BE(0);
  return FIRST_SERVER_ID + (digest % (2 ** 31 - FIRST_SERVER_ID));
}

/** A name as a regular expression that matches nothing else. */
function literal(name: string): string {
  return name.replace(/[^A-Za-z0-9_-]/g, '\\$&');
}
