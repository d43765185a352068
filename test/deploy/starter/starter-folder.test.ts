import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { composeFileOf } from '../../../deploy/stack/compose-project';
import { envExample } from '../../../deploy/starter/env-example';
import { writeStarter } from '../../../deploy/starter/starter-folder';
import { environmentNames, readEnvironment } from '../../../topology/settings/environment';
import { packageRoot } from '../../../topology/settings/package';
import { readTopologyFile } from '../../../topology/settings/topology-settings';

let folder: string;
beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), 'downspout-init-')), 'new');
});
afterEach(() => rmSync(join(folder, '..'), { recursive: true }));

interface Composed {
  readonly name: string;
  readonly services: Readonly<Record<string, { readonly environment: Readonly<Record<string, string>> }>>;
}
const composedIn = (of: string) =>
  parse(readFileSync(join(of, 'docker-compose.yml'), 'utf8'), { merge: true }) as Composed;
/** The project of a folder's docker-compose.yml. */
const nameIn = (of: string) => composedIn(of).name;
/** The ids that its brokers have. */
const clustersIn = (of: string) => [
  ...new Set(
    Object.entries(composedIn(of).services).flatMap(([name, { environment }]) =>
      /^kafka(-[bc])?$/.test(name) ? [environment['CLUSTER_ID']] : [],
    ),
  ),
];
const write = (changed = {}) => writeStarter({ folder, force: false, dryRun: false, ...changed });
const named = () =>
  [...envExample().matchAll(/^#([A-Z_]+)='(.*)'$/gm)].map(([, name = '', value = '']) => [name, value]);

describe('the starter folder', () => {
  it('has a topology that is read, also for production', () => {
    write();
    const path = join(folder, 'topology.yaml');
    expect(readTopologyFile({ path }).settings.bolts).toHaveProperty('webhook');
    const { settings } = readTopologyFile({ path, environment: 'production' });
    expect(settings.topics).toEqual({ replicationFactor: 3, minInsyncReplicas: 2 });
  });

  it('tells editors where the schema of its topology files is', () => {
    write();
    const schemaIn = (file: string) =>
      /^# yaml-language-server: \$schema=(.+)\n/.exec(readFileSync(join(folder, file), 'utf8'))?.[1] ?? '';
    for (const file of ['topology.yaml', 'topology.production.yaml']) {
      expect(JSON.parse(readFileSync(join(folder, schemaIn(file)), 'utf8'))).toHaveProperty('properties.components');
    }
    const installed = join(folder, '..', 'node_modules', 'downspout', 'docs');
    mkdirSync(installed, { recursive: true });
    writeFileSync(join(installed, 'topology.schema.json'), '{}');
    write({ force: true });
    expect(schemaIn('topology.production.yaml')).toBe('../node_modules/downspout/docs/topology.schema.json');
  });

  it('has everything that its docker-compose.yml mounts', () => {
    const files = write();
    const text = readFileSync(join(folder, 'docker-compose.yml'), 'utf8');
    expect(parse(text)).toHaveProperty('services');
    const mounted = [...text.matchAll(/\.\/(deploy\/[^:]+):/g)].map(([, path]) => path as string);
    expect(mounted.length).toBeGreaterThan(3);
    for (const path of mounted) expect(existsSync(join(folder, path))).toBe(true);
    for (const file of files) expect(existsSync(join(folder, file))).toBe(true);
  });

  it('has a project of Docker Compose that no other folder has, and keeps the one that its volumes are found by', () => {
    const other = join(folder, '..', 'other');
    write();
    write({ folder: other });
    expect(nameIn(folder)).toMatch(/^downspout-[0-9a-f]{8}$/);
    expect(nameIn(other)).not.toBe(nameIn(folder));
    writeFileSync(join(folder, 'docker-compose.yml'), 'name: downspout\nservices: {}\n');
    write({ force: true });
    expect(nameIn(folder)).toBe('downspout');
    expect(readFileSync(join(folder, 'docker-compose.yml'), 'utf8')).toContain('  kafka:\n');
  });

  it('has a Kafka with an id that no other folder has, and keeps the one that its volumes hold', () => {
    const other = join(folder, '..', 'other');
    write();
    write({ folder: other });
    const [own, ...others] = clustersIn(folder);
    expect([own, others]).toEqual([expect.stringMatching(/^[A-Za-f][\w-]{21}$/), []]);
    expect(clustersIn(other)).not.toContain(own);
    write({ force: true });
    expect(clustersIn(folder)).toEqual([own]);
    // That of files that were written before each had its own.
    const path = join(folder, 'docker-compose.yml');
    writeFileSync(path, readFileSync(path, 'utf8').replace(`${own}`, 'ZG93bnNwb3V0LXN0YWNrLQ'));
    write({ force: true });
    expect(clustersIn(folder)).toEqual(['ZG93bnNwb3V0LXN0YWNrLQ']);
  });

  it('has the docker-compose.yml that workers in containers join, where `up` has started no other', () => {
    const byHand = { project: undefined, variables: {} };
    const ofPackage = join(packageRoot(), 'docker-compose.yml');
    write();
    const own = join(folder, 'docker-compose.yml');
    expect(composeFileOf(byHand, folder)).toBe(own);
    expect(composeFileOf({ ...byHand, project: nameIn(folder) }, folder)).toBe(ofPackage);
    writeFileSync(own, readFileSync(own, 'utf8').replace(/^name: .*$/m, 'name: acme'));
    expect(composeFileOf(byHand, folder)).toBe(own);
    // That of somebody's application.
    writeFileSync(own, 'name: acme\nservices: { web: { image: nginx } }\n');
    expect(composeFileOf(byHand, folder)).toBe(ofPackage);
    rmSync(own);
    expect(composeFileOf(byHand, folder)).toBe(ofPackage);
  });

  it('refuses to replace a file, and then writes nothing; --force replaces it', () => {
    write();
    writeFileSync(join(folder, 'topology.yaml'), 'mine');
    rmSync(join(folder, '.env.example'));
    expect(() => write()).toThrow(
      /has topology\.yaml, topology\.production\.yaml, .* already, and nothing was written/,
    );
    expect(existsSync(join(folder, '.env.example'))).toBe(false);
    write({ force: true });
    expect(readFileSync(join(folder, 'topology.yaml'), 'utf8')).not.toBe('mine');
  });

  it('is not written in a dry run', () => {
    expect(write({ dryRun: true })).toContain('topology.yaml');
    expect(existsSync(folder)).toBe(false);
  });

  it('that cannot be made is said', () => {
    writeFileSync(join(folder, '..', 'file'), '');
    expect(() => write({ folder: join(folder, '..', 'file', 'inner') })).toThrow(/cannot be written: /);
    expect(readdirSync(join(folder, '..'))).toEqual(['file']);
  });
});

describe('.env.example', () => {
  it('has only settings that there are, with values that are taken', () => {
    const values = Object.fromEntries(named()) as Record<string, string>;
    expect(Object.keys(values).filter((name) => !environmentNames().includes(name))).toEqual([]);
    expect(() => readEnvironment({}, values)).not.toThrow();
    expect(Object.keys(values).length).toBe(named().length);
  });

  it('has every setting of a connection', () => {
    const has = new Set(named().map(([name]) => name));
    const connections = environmentNames().filter((name) =>
      /DATABASE_URL$|^KAFKA_|^CONNECT_|^CDC_|SECRET_KEY/.test(name),
    );
    expect(connections.filter((name) => !has.has(name))).toEqual([]);
  });

  it('changes nothing before somebody takes a # away', () => {
    for (const line of envExample().split('\n')) expect(line).toMatch(/^(#.*)?$/);
  });
});
