import { appendFileSync, chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ComposeFile, HA_VARIABLES } from '../../../deploy/stack/compose-file';
import { Cache } from '../../../deploy/stack/fetch/cache';
import { BROKERS, KafkaPart } from '../../../deploy/stack/parts/kafka-part';
import type { PartContext } from '../../../deploy/stack/parts/part';
import { newState } from '../../../deploy/stack/stack-state';
import { systemClock } from '../../../topology/core/clock';
import { packageRoot } from '../../../topology/settings/package';

let folder: string;
const path = process.env['PATH'];

/** A double of java, which writes down how it was called. */
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kafka-part-'));
  writeFileSync(join(folder, 'java'), `#!/bin/sh\necho "$@" >> '${join(folder, 'calls')}'\n`);
  chmodSync(join(folder, 'java'), 0o755);
  appendFileSync(join(folder, 'calls'), '');
  process.env['PATH'] = `${folder}:${path}`;
});
afterEach(() => {
  process.env['PATH'] = path;
  rmSync(folder, { recursive: true });
});

const contextOf = (clusterId: string): PartContext => ({
  compose: ComposeFile.read(join(packageRoot(), 'docker-compose.yml'), HA_VARIABLES),
  cache: new Cache(join(folder, 'cache'), systemClock),
  clock: systemClock,
  folder,
  ports: {},
  clusterId,
  adminPassword: '',
  cdcPassword: '',
  ha: true,
  groupRuns: false,
});

/** The ids under which data was made, in order. */
function formatted(): string[] {
  return [...readFileSync(join(folder, 'calls'), 'utf8').matchAll(/StorageTool format -t (\S+) -c /g)].map(
    ([, id]) => id as string,
  );
}

const prepared = async (clusterId: string) => {
  for (const name of BROKERS) {
    await new KafkaPart(contextOf(clusterId), async () => ({ folder, version: '1' }), name).prepare();
  }
};

test('the brokers of one stack have one id, and another stack’s have another', async () => {
  const { clusterId: one } = newState('native');
  const { clusterId: two } = newState('native');
  expect(two).not.toBe(one);
  await prepared(one);
  await prepared(two);
  expect(formatted()).toEqual([one, one, one, two, two, two]);
});

test('data that is there keeps the id under which it was made', async () => {
  for (const name of BROKERS) {
    mkdirSync(join(folder, name, 'data-ha'), { recursive: true });
    writeFileSync(join(folder, name, 'data-ha', 'meta.properties'), 'cluster.id=ZG93bnNwb3V0LXN0YWNrLQ\n');
  }
  await prepared(newState('native').clusterId);
  expect(formatted()).toEqual([]);
});

test('no id is taken for an option by the command that gets it', () => {
  const ids = Array.from({ length: 500 }, () => newState('native').clusterId);
  expect(new Set(ids).size).toBe(500);
  for (const id of ids) expect(Buffer.from(id, 'base64url')).toHaveLength(16);
  expect(ids.filter((id) => id.startsWith('-'))).toEqual([]);
});
