import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { ComposeFile, HA_VARIABLES } from '../../../deploy/stack/compose-file';

interface Service {
  readonly image: string;
  readonly command?: readonly string[];
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly healthcheck?: { readonly test?: readonly string[] };
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly profiles?: readonly string[];
  readonly restart?: string;
}

const ROOT = join(__dirname, '../../..');
const COMPOSE = join(ROOT, 'docker-compose.yml');
const file = parse(readFileSync(COMPOSE, 'utf8'), { merge: true }) as {
  services: Record<string, Service>;
  volumes: Record<string, unknown>;
};
const services = Object.entries(file.services);

function namesInHa(inHa: boolean): string[] {
  return services.filter(([, one]) => (one.profiles ?? []).includes('ha') === inHa).map(([name]) => name);
}

describe('docker-compose.yml', () => {
  it('has every part of the stack; what makes it highly available is behind a profile', () => {
    expect(namesInHa(false)).toEqual(['mysql', 'kafka', 'connect', 'kafka-ui', 'prometheus', 'grafana']);
    expect(namesInHa(true)).toEqual(['mysql-b', 'mysql-c', 'kafka-b', 'kafka-c', 'connect-b', 'haproxy']);
  });

  it.each(services)('%s: the version is pinned to a minor at least', (_name, { image }) => {
    expect(image).toMatch(/:v?\d+\.\d+(\.\w+)*$/);
  });

  it.each(services)('%s: health is checked', (_name, { healthcheck }) => {
    expect(healthcheck?.test?.[0]).toMatch(/^CMD/);
  });

  it.each(services)('%s: is started again when it dies', (_name, { restart }) => {
    expect(restart).toBe('unless-stopped');
  });

  it.each(services)('%s: ports are this machine’s only and can be moved', (_name, { ports = [] }) => {
    for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:\$\{[A-Z_]+_PORT:-\d+\}:\d+$/);
  });

  it('moves every port by a variable of its own', () => {
    const ports = services.flatMap(([, one]) => one.ports ?? []);
    expect(new Set(ports.map((port) => /\$\{(\w+)/.exec(port)?.[1])).size).toBe(ports.length);
    expect(new Set(ports.map((port) => /:-(\d+)/.exec(port)?.[1])).size).toBe(ports.length);
  });

  it.each(services)('%s: what it mounts and waits for exists', (_name, { volumes = [], depends_on = {} }) => {
    const sources = volumes.map((volume) => volume.split(':')[0] as string).filter((source) => !source.startsWith('$'));
    const missing = sources.filter((source) =>
      source.startsWith('./') ? !existsSync(join(ROOT, source)) : !(source in file.volumes),
    );
    expect(missing).toEqual([]);
    for (const name of Object.keys(depends_on)) expect(file.services).toHaveProperty([name]);
  });

  it('gives every server of the group the same flags, but for their number and name', () => {
    const own = /^--(server-id|report-host|loose-group-replication-local-address)=/;
    const flags = (name: string) =>
      ComposeFile.read(COMPOSE, HA_VARIABLES)
        .service(name)
        .command.filter((flag) => !own.test(flag));
    expect(flags('mysql-b')).toEqual(flags('mysql'));
    expect(flags('mysql-c')).toEqual(flags('mysql'));
  });

  it('gives every broker the same settings, but for its number and address, and every record three replicas', () => {
    const compose = ComposeFile.read(COMPOSE, HA_VARIABLES);
    const own = new Set(['KAFKA_NODE_ID', 'KAFKA_ADVERTISED_LISTENERS']);
    const settings = (name: string) =>
      Object.fromEntries(Object.entries(compose.service(name).environment).filter(([setting]) => !own.has(setting)));
    expect(settings('kafka-b')).toEqual(settings('kafka'));
    expect(settings('kafka-c')).toEqual(settings('kafka'));
    expect(compose.service('connect-b').environment).toEqual(compose.service('connect').environment);
    const factors = ['kafka', 'connect'].flatMap((name) =>
      Object.entries(compose.service(name).environment).filter(([setting]) => setting.endsWith('REPLICATION_FACTOR')),
    );
    expect(factors.map(([, value]) => value)).toEqual(Array(6).fill('3'));
    expect(settings('kafka')).toMatchObject({ KAFKA_MIN_INSYNC_REPLICAS: '2' });
  });

  it('knows no id of a Kafka by itself, because one that is written here would be that of every stack', () => {
    for (const name of ['kafka', 'kafka-b', 'kafka-c']) {
      const clusterIn = (variables: Record<string, string>) =>
        ComposeFile.read(COMPOSE, variables).service(name).environment['CLUSTER_ID'];
      expect(clusterIn({ KAFKA_CLUSTER_ID: 'mine' })).toBe('mine');
      expect(clusterIn({})).toBe('');
    }
    expect(readFileSync(COMPOSE, 'utf8')).toMatch(/^ +CLUSTER_ID: \$\{KAFKA_CLUSTER_ID:\?by hand it needs/m);
  });

  it('gives each variable of `up --ha` to something', () => {
    const text = readFileSync(COMPOSE, 'utf8');
    for (const name of Object.keys(HA_VARIABLES)) expect(text).toContain(`\${${name}:-`);
  });
});
