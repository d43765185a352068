import { createHash } from 'node:crypto';
import { UserError } from '../../topology/core/errors';
import type { KafkaSecurity } from '../../topology/settings/connections';
import { parseDatabaseUrl } from '../../topology/settings/database-url';
import { shownParameter } from '../../topology/settings/url-parts';
import { topicName } from '../../topology/streams';

/** The one table that is captured, and the columns that make up a plan. Updates of other columns make no event. */
const TABLE = 'scheduled_messages';
const COLUMNS = ['id', 'shard', 'account', 'channel', 'wake_at', 'version'];
/** The schema of changes as the connector writes them, and the field that says so. See docs/decisions/0015. */
export const CHANGES_SCHEMA = 1;
export const SCHEMA_FIELD = '__v';
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
  /** Of Debezium's own connection to Kafka, for the schema's history. */
  readonly security?: KafkaSecurity;
  readonly stores?: TlsStores;
  /** What stands in the settings instead of passwords and key: references that a config provider of Connect resolves. */
  readonly databasePasswordReference?: string | undefined;
  readonly kafkaPasswordReference?: string | undefined;
  readonly kafkaKeyReference?: string | undefined;
}

/** Java's key stores for the connection to MySQL: files as Connect sees them. */
interface TlsStores {
  readonly truststore?: string | undefined;
  readonly truststorePassword?: string | undefined;
  readonly keystore?: string | undefined;
  readonly keystorePassword?: string | undefined;
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

/** The group with which Debezium reads its history: it makes the name of its topics' prefix. */
export function historyGroup(namespace: string): string {
  return `${topicName(namespace, 'cdc')}-schemahistory`;
}

/**
 * The settings of Debezium's MySQL connector. Connect shows and stores them, so they hold the passwords of Debezium's users
 * only where no reference is given for them.
 */
export function connectorSettings(options: CaptureOptions): Record<string, string> {
  const database = parseDatabaseUrl(options.databaseUrl, 'CDC_DATABASE_URL');
  const { database: schema } = database;
  const names = captureNames(options.namespace);
  return {
    'connector.class': 'io.debezium.connector.mysql.MySqlConnector',
    'tasks.max': '1',
    // Java takes an IPv6 address in brackets.
    'database.hostname': database.host.includes(':') ? `[${database.host}]` : database.host,
    'database.port': String(database.port),
    'database.user': database.user,
    'database.password': options.databasePasswordReference ?? database.password,
    ...databaseTls(database.parameters, options.stores ?? {}),
    'database.server.id': String(serverId(names.connector, schema)),
    'database.include.list': literal(schema),
    'table.include.list': `${literal(schema)}\\.${TABLE}`,
    'column.include.list': `${literal(schema)}\\.${TABLE}\\.(${COLUMNS.join('|')})`,
    'skip.messages.without.change': 'true',
    'include.schema.changes': 'false',
    // The spouts load rows themselves, so they need changes only, and Debezium needs no lock. When the binlog does not go back
    // to where the connector was, it begins at the present.
    'snapshot.mode': 'custom',
    'snapshot.mode.custom.name': 'when_needed_no_data',
    'snapshot.locking.mode': 'none',
    'tombstones.on.delete': 'false',
    'bigint.unsigned.handling.mode': 'long',
    ...historySettings(names, options),
    ...latencySettings,
    ...routingSettings(names, options),
    ...converterSettings,
  };
}

function historySettings(names: CaptureNames, options: CaptureOptions): Record<string, string> {
  const security = Object.entries(kafkaSettings(options.security ?? {}, options));
  return {
    ...Object.fromEntries(
      ['producer', 'consumer'].flatMap((client) =>
        security.map(([name, value]) => [`schema.history.internal.${client}.${name}`, value]),
      ),
    ),
    'schema.history.internal.kafka.topic': names.history,
    'schema.history.internal.kafka.bootstrap.servers': options.brokers,
    'schema.history.internal.store.only.captured.tables.ddl': 'true',
    'schema.history.internal.store.only.captured.databases.ddl': 'true',
  };
}

/** As Java's Kafka client wants it; certificates travel in the settings, so no file has to lie where Connect runs. */
function kafkaSettings(
  { tls, sasl }: KafkaSecurity,
  { kafkaPasswordReference, kafkaKeyReference }: CaptureOptions,
): Record<string, string> {
  const protocol = `${sasl === undefined ? '' : 'SASL_'}${tls === undefined ? 'PLAINTEXT' : 'SSL'}`;
  if (protocol === 'PLAINTEXT') return {};
  return {
    'security.protocol': protocol,
    ...(tls?.ca === undefined ? {} : { 'ssl.truststore.type': 'PEM', 'ssl.truststore.certificates': tls.ca }),
    ...(tls?.cert === undefined || tls.key === undefined
      ? {}
      : {
          'ssl.keystore.type': 'PEM',
          'ssl.keystore.certificate.chain': tls.cert,
          'ssl.keystore.key': kafkaKeyReference ?? tls.key,
        }),
    ...(sasl === undefined ? {} : saslSettings({ ...sasl, password: kafkaPasswordReference ?? sasl.password })),
  };
}

function saslSettings({ mechanism, username, password }: NonNullable<KafkaSecurity['sasl']>): Record<string, string> {
  const module = mechanism === 'plain' ? 'plain.PlainLoginModule' : 'scram.ScramLoginModule';
  return {
    'sasl.mechanism': mechanism.toUpperCase(),
    'sasl.jaas.config': `org.apache.kafka.common.security.${module} required username=${quoted(username)} password=${quoted(password)};`,
  };
}

function quoted(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}

const TLS_MODES = ['disabled', 'required', 'verify_ca', 'verify_identity'];

/** @throws UserError for what the URL says and Debezium cannot be told */
function databaseTls(parameters: URLSearchParams, stores: TlsStores): Record<string, string> {
  const unknown = [...parameters.keys()].find((name) => name !== 'ssl-mode');
  if (unknown !== undefined) {
    throw new UserError(
      `CDC_DATABASE_URL: the parameter${shownParameter(unknown, parameters)} is not known. There is ssl-mode; certificates are given to Debezium as Java's ` +
        'key stores, by CDC_SSL_TRUSTSTORE and CDC_SSL_KEYSTORE.',
    );
  }
  const mode = parameters.get('ssl-mode');
  if (mode !== null && !TLS_MODES.includes(mode.toLowerCase())) {
    throw new UserError(
      `CDC_DATABASE_URL: ssl-mode is ${mode}. Expected one of ${TLS_MODES.join(', ').toUpperCase()}.`,
    );
  }
  const settings = {
    'database.ssl.mode': mode?.toLowerCase(),
    'database.ssl.truststore': stores.truststore,
    'database.ssl.truststore.password': stores.truststorePassword,
    'database.ssl.keystore': stores.keystore,
    'database.ssl.keystore.password': stores.keystorePassword,
  };
  return Object.fromEntries(
    Object.entries(settings).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
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
    transforms: 'partition,flatten,schema,changes,heartbeats',
    'transforms.partition.type': 'io.debezium.transforms.partitions.PartitionRouting',
    'transforms.partition.partition.payload.fields': 'change.shard',
    'transforms.partition.partition.topic.num': String(options.partitions),
    'transforms.flatten.type': 'io.debezium.transforms.ExtractNewRecordState',
    'transforms.flatten.delete.tombstone.handling.mode': 'rewrite',
    'transforms.flatten.add.fields': 'op,source.ts_ms',
    'transforms.flatten.replace.null.with.default': 'false',
    'transforms.schema.type': 'org.apache.kafka.connect.transforms.InsertField$Value',
    'transforms.schema.static.field': SCHEMA_FIELD,
    'transforms.schema.static.value': String(CHANGES_SCHEMA),
    // It copies every field. A NULL of a column with a default would become the default.
    'transforms.schema.replace.null.with.default': 'false',
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

/**
 * Debezium joins MySQL's replication under an id of its own: always the same for one connector, another for each, also for those of
 * two databases of one server that are captured into two Kafkas under one name. A server lets go of whoever has the id of a newcomer.
 */
function serverId(connector: string, schema: string): number {
  const digest = createHash('sha256').update(`${schema}.${connector}`).digest().readUInt32BE(0);
  return FIRST_SERVER_ID + (digest % (2 ** 31 - FIRST_SERVER_ID));
}

/** A name as a regular expression that matches nothing else. */
function literal(name: string): string {
  return name.replace(/[^A-Za-z0-9_-]/g, '\\$&');
}
