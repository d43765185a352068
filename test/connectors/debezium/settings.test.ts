import { changeEventCodec } from '../../../connectors/debezium/change-event';
import { captureNames, connectorSettings } from '../../../connectors/debezium/settings';

const options = {
  databaseUrl: 'mysql://cdc:p%40ss@db.test:3307/my_db',
  brokers: 'kafka:9094',
  namespace: 'test1',
  partitions: 8,
};

function names(namespace: string): string[] {
  return Object.values(captureNames(namespace));
}

describe('connectorSettings', () => {
  it('takes the connection from the URL', () => {
    expect(connectorSettings(options)).toMatchObject({
      'database.hostname': 'db.test',
      'database.port': '3307',
      'database.user': 'cdc',
      'database.password': 'p@ss',
      'database.include.list': 'my_db',
      'table.include.list': 'my_db\\.scheduled_messages',
      'schema.history.internal.kafka.bootstrap.servers': 'kafka:9094',
    });
    expect(connectorSettings({ ...options, databaseUrl: 'mysql://a:b@c/d' })['database.port']).toBe('3306');
  });

  it('captures plans only, and every shard goes to its partition', () => {
    const settings = connectorSettings(options);
    expect(settings['column.include.list']).toBe(
      'my_db\\.scheduled_messages\\.(id|shard|account|channel|wake_at|version)',
    );
    expect(settings['skip.messages.without.change']).toBe('true');
    expect(settings['transforms.partition.partition.payload.fields']).toBe('change.shard');
    expect(settings['transforms.partition.partition.topic.num']).toBe('8');
    // The partition is chosen from the whole event, which flattening takes apart.
    expect(settings['transforms']).toMatch(/^partition,flatten,/);
  });

  it('lets every change say its schema, as the codec does', () => {
    const settings = connectorSettings(options);
    // Flattening would drop a field that is inserted before it.
    expect(settings['transforms']).toMatch(/flatten,.*schema/);
    expect(settings['transforms.schema.type']).toBe('org.apache.kafka.connect.transforms.InsertField$Value');
    const change = {
      id: 1,
      shard: 1,
      account: 'a',
      channel: 'c',
      wakeAt: 1,
      version: 1,
      deleted: false,
      committedAt: 1,
    };
    expect(JSON.parse(changeEventCodec.encode(change).toString())).toMatchObject({
      [String(settings['transforms.schema.static.field'])]: settings['transforms.schema.static.value'],
    });
  });

  it('keeps NULL as NULL in every transform that copies fields, and in both converters', () => {
    const settings = connectorSettings(options);
    const transforms = String(settings['transforms']).split(',');
    // These have no such setting: they change the partition or the topic, and no field.
    const others = /\.(PartitionRouting|RegexRouter)$/;
    const copying = transforms.filter((name) => !others.test(String(settings[`transforms.${name}.type`])));
    expect(copying).toEqual(['flatten', 'schema']);
    for (const part of [...copying.map((name) => `transforms.${name}`), 'key.converter', 'value.converter']) {
      expect(settings[`${part}.replace.null.with.default`]).toBe('false');
    }
  });

  it('gives connectors of one name for two databases of one server different ids', () => {
    const databases = ['staging', 'production'].map((name) => `mysql://u:p@mysql:3306/${name}`);
    const ids = databases.map((databaseUrl) => connectorSettings({ ...options, databaseUrl })['database.server.id']);
    expect(new Set(ids).size).toBe(2);
    for (const id of ids) expect(Number(id)).toBeGreaterThanOrEqual(100_000);
  });

  it('keeps deployments in one Kafka apart', () => {
    expect(names('')).toEqual(['schedule-changes', 'schedule-changes', 'cdc-heartbeats', 'cdc-schema-history']);
    expect(new Set([...names(''), ...names('a'), ...names('b')]).size).toBe(9);
    const [one, other] = ['a', 'b'].map((namespace) => connectorSettings({ ...options, namespace }));
    expect(one?.['database.server.id']).not.toBe(other?.['database.server.id']);
    expect(one?.['topic.prefix']).not.toBe(other?.['topic.prefix']);
  });

  it('takes names of databases literally', () => {
    const settings = connectorSettings({ ...options, databaseUrl: 'mysql://a:b@c/my.db$' });
    expect(settings['database.include.list']).toBe('my\\.db\\$');
  });

  it('secures its own connection to Kafka as the workers do, without a file where Connect runs', () => {
    const tls = { ca: 'CA PEM', cert: 'CERT PEM', key: 'KEY PEM' };
    const sasl = { mechanism: 'scram-sha-512', username: 'u', password: 'a"b\\c' } as const;
    const settings = connectorSettings({ ...options, security: { tls, sasl } });
    for (const client of ['producer', 'consumer']) {
      const prefix = `schema.history.internal.${client}`;
      expect(settings).toMatchObject({
        [`${prefix}.security.protocol`]: 'SASL_SSL',
        [`${prefix}.ssl.truststore.type`]: 'PEM',
        [`${prefix}.ssl.truststore.certificates`]: 'CA PEM',
        [`${prefix}.ssl.keystore.certificate.chain`]: 'CERT PEM',
        [`${prefix}.ssl.keystore.key`]: 'KEY PEM',
        [`${prefix}.sasl.mechanism`]: 'SCRAM-SHA-512',
        [`${prefix}.sasl.jaas.config`]:
          'org.apache.kafka.common.security.scram.ScramLoginModule required username="u" password="a\\"b\\\\c";',
      });
    }
    expect(Object.keys(connectorSettings(options)).some((name) => name.includes('security'))).toBe(false);
  });

  it('holds no password where references are given', () => {
    const sasl = { mechanism: 'plain', username: 'u', password: 'hush' } as const;
    const settings = connectorSettings({
      ...options,
      security: { sasl, tls: { cert: 'our certificate', key: 'hush hush' } },
      databasePasswordReference: '${env:CDC_PASSWORD}',
      kafkaPasswordReference: '${env:KAFKA_PASSWORD}',
      kafkaKeyReference: '${env:KAFKA_KEY}',
    });
    expect(settings['schema.history.internal.consumer.ssl.keystore.key']).toBe('${env:KAFKA_KEY}');
    expect(settings['database.password']).toBe('${env:CDC_PASSWORD}');
    expect(settings['schema.history.internal.producer.sasl.jaas.config']).toContain('password="${env:KAFKA_PASSWORD}"');
    expect(JSON.stringify(settings)).not.toMatch(/hush|p@ss/);
  });

  it('secures its connection to MySQL as its URL says, with key stores where Connect runs', () => {
    const databaseUrl = `${options.databaseUrl}?ssl-mode=VERIFY_CA`;
    const stores = { truststore: '/etc/ca.jks', truststorePassword: 'x' };
    const settings = connectorSettings({ ...options, databaseUrl, stores });
    expect(settings).toMatchObject({
      'database.ssl.mode': 'verify_ca',
      'database.ssl.truststore': '/etc/ca.jks',
      'database.ssl.truststore.password': 'x',
    });
    expect(settings).not.toHaveProperty(['database.ssl.keystore']);
  });

  it.each([
    [
      '?ssl-ca=/etc/ca.pem',
      'the parameter "ssl-ca" is not known. There is ssl-mode; certificates are given to Debezium',
    ],
    ['?ssl-mode=maybe', 'ssl-mode is maybe. Expected one of DISABLED, REQUIRED, VERIFY_CA, VERIFY_IDENTITY'],
  ])('refuses what it does not understand in the URL: %s', (parameters, reason) => {
    expect(() => connectorSettings({ ...options, databaseUrl: options.databaseUrl + parameters })).toThrow(reason);
  });
});
