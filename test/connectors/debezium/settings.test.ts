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

  it('keeps NULL as NULL in the flattening and in both converters', () => {
    const settings = connectorSettings(options);
    for (const part of ['transforms.flatten', 'key.converter', 'value.converter']) {
      expect(settings[`${part}.replace.null.with.default`]).toBe('false');
    }
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
});
