import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ComposeFile, HA_VARIABLES } from '../../../deploy/stack/compose-file';
import { Cache } from '../../../deploy/stack/fetch/cache';
import { workerProperties } from '../../../deploy/stack/parts/connect-part';
import { haproxyConfiguration } from '../../../deploy/stack/parts/haproxy-part';
import { brokerProperties } from '../../../deploy/stack/parts/kafka-part';
import { MySqlPart } from '../../../deploy/stack/parts/mysql-part';
import type { PartContext } from '../../../deploy/stack/parts/part';
import { systemClock } from '../../../topology/core/clock';

const compose = ComposeFile.read(join(__dirname, '../../../docker-compose.yml'), {});
const context: PartContext = {
  compose,
  cache: new Cache('/cache', systemClock),
  clock: systemClock,
  folder: '/stack',
  ports: { mysql: 1, kafka: 2, kafkaController: 3, kafkaStack: 4, connect: 5, prometheus: 6 },
  clusterId: '',
  adminPassword: '',
  cdcPassword: '',
  ha: false,
  groupRuns: false,
};
const ha: PartContext = {
  ...context,
  compose: ComposeFile.read(join(__dirname, '../../../docker-compose.yml'), HA_VARIABLES),
  ha: true,
  ports: {
    ...context.ports,
    'mysql-b': 7,
    'mysql-c': 8,
    'kafka-b': 9,
    'kafka-bController': 10,
    'kafka-bStack': 11,
    'kafka-c': 12,
    'kafka-cController': 13,
    'kafka-cStack': 14,
    'connect-b': 15,
    haproxy: 16,
    haproxyConnect: 17,
  },
};

/** What the images make of the environment, as they document it: the prefix goes, and underscores become dots. */
function imageProperties(service: string, prefix: string): Record<string, string> {
  const entries = Object.entries(compose.service(service).environment).filter(([name]) => name.startsWith(prefix));
  return Object.fromEntries(
    entries.map(([name, value]) => [name.slice(prefix.length).toLowerCase().replaceAll('_', '.'), value]),
  );
}

function without(properties: Readonly<Record<string, string>>, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(Object.entries(properties).filter(([name]) => !names.includes(name)));
}

function listenerNames(listeners: string | undefined): (string | undefined)[] | undefined {
  return listeners?.split(',').map((one) => one.split(':')[0]);
}

describe('the native stack and docker-compose.yml', () => {
  it('give the broker the same properties, but for addresses and paths', () => {
    const own = ['listeners', 'advertised.listeners', 'controller.quorum.voters', 'log.dirs'];
    const image = without(imageProperties('kafka', 'KAFKA_'), ['heap.opts', 'jvm.performance.opts']);
    expect(without(brokerProperties(context, 'kafka'), own)).toEqual(without(image, own));
    expect(brokerProperties(context, 'kafka')).toMatchObject({
      'node.id': '1',
      'offsets.topic.num.partitions': '4',
      'group.initial.rebalance.delay.ms': '0',
      'auto.create.topics.enable': 'false',
    });
  });

  it('give the broker the same listeners', () => {
    const image = imageProperties('kafka', 'KAFKA_');
    for (const name of ['listeners', 'advertised.listeners']) {
      expect(listenerNames(brokerProperties(context, 'kafka')[name])).toEqual(listenerNames(image[name]));
    }
  });

  it('give the Connect worker the same properties, but for addresses and paths', () => {
    const own = ['bootstrap.servers', 'listeners', 'rest.advertised.host.name', 'plugin.path'];
    const { environment } = compose.service('connect');
    const properties = without(workerProperties(context, '/plugins'), own);
    expect(properties).toEqual({
      ...imageProperties('connect', 'CONNECT_'),
      'group.id': environment['GROUP_ID'],
      'config.storage.topic': environment['CONFIG_STORAGE_TOPIC'],
      'offset.storage.topic': environment['OFFSET_STORAGE_TOPIC'],
      'status.storage.topic': environment['STATUS_STORAGE_TOPIC'],
      'offset.flush.interval.ms': environment['OFFSET_FLUSH_INTERVAL_MS'],
      // What the image says when nothing is said.
      'key.converter': 'org.apache.kafka.connect.json.JsonConverter',
      'value.converter': 'org.apache.kafka.connect.json.JsonConverter',
    });
  });

  it('give HAProxy the same configuration, but for addresses', () => {
    const image = readFileSync(join(__dirname, '../../../deploy/stack/haproxy.cfg'), 'utf8').split('\n');
    const own = haproxyConfiguration(ha).split('\n');
    const differ = own.filter((line, n) => line !== image[n]).map((line) => line.trim());
    expect(differ).toEqual([
      'bind 127.0.0.1:16',
      'server a 127.0.0.1:1 check',
      'server b 127.0.0.1:7 check',
      'server c 127.0.0.1:8 check',
      'bind 127.0.0.1:17',
      'server a 127.0.0.1:5 check',
      'server b 127.0.0.1:15 check',
    ]);
    expect(own).toHaveLength(image.length);
  });

  it('have HAProxy ask for the role with the statement that stands beside it', () => {
    const text = readFileSync(join(__dirname, '../../../deploy/stack/haproxy.cfg'), 'utf8');
    const [, statement = '', packet = ''] = /# (SELECT .*)\n +tcp-check send-binary ([0-9a-f]+)/.exec(text) ?? [];
    const sent = Buffer.from(packet, 'hex');
    const end = 4 + sent.readUIntLE(0, 3);
    expect(sent.subarray(5, end).toString()).toBe(statement);
    expect(sent.subarray(end).toString('hex')).toBe('0100000001');
  });

  it('give three brokers one quorum, and Connect all of them', () => {
    const voters = '1@127.0.0.1:3,2@127.0.0.1:10,3@127.0.0.1:13';
    for (const [n, name] of (['kafka', 'kafka-b', 'kafka-c'] as const).entries()) {
      expect(brokerProperties(ha, name)).toMatchObject({
        'node.id': String(n + 1),
        'controller.quorum.voters': voters,
        'default.replication.factor': '3',
        'min.insync.replicas': '2',
      });
    }
    expect(workerProperties(ha, '/plugins', 'connect-b')).toMatchObject({
      'bootstrap.servers': '127.0.0.1:4,127.0.0.1:11,127.0.0.1:14',
      listeners: 'http://127.0.0.1:15',
      'config.storage.replication.factor': '3',
    });
  });

  it('take the versions from the same place', () => {
    for (const name of ['mysql', 'mysql-b', 'mysql-c'] as const) {
      expect(new MySqlPart(ha, name).version).toBe(compose.service('mysql').version);
    }
    expect(compose.service('haproxy').version).toMatch(/^3\.2/);
    expect(compose.service('mysql').version).toMatch(/^9\.7/);
    expect(compose.service('kafka').version).toMatch(/^4\.3\./);
    expect(compose.service('connect').version).toMatch(/^3\.6\.1/);
    expect(compose.service('kafka-ui').version).toBe('v1.5.0');
    expect(compose.service('prometheus').version).toMatch(/^v3\.5\./);
  });
});
