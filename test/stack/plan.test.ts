import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { removePlacement, wantPlacement } from '../../connectors/mysql/operators/placements';
import { beginRelease, finishRelease } from '../../connectors/mysql/operators/releases';
import { readSchemaState } from '../../connectors/mysql/schema/schema-state';
import { Pool } from '../../connectors/mysql/sql/pool';
import { systemClock } from '../../topology/core/clock';
import { required } from '../../topology/settings/environment';
import { packageVersion } from '../../topology/settings/package';
import { runCli, variablesOf } from '../support/stack/cli';
import { freshWorld, testSettings, type World } from '../support/stack/stack';

jest.setTimeout(60_000);

let world: World;
let folder: string;

beforeAll(async () => {
  world = await freshWorld(testSettings('{ due: { partitions: 2 }, webhook: { partitions: 3 } }'));
  folder = mkdtempSync(join(tmpdir(), 'downspout-plan-'));
}, 60_000);

afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await world.close();
}, 60_000);

interface Planned {
  readonly release: number | null;
  readonly steps: readonly { readonly what: string; readonly change: string; readonly cost: string }[];
  readonly refusals: readonly string[];
  readonly unknown: readonly string[];
}

const SAME = 'components: { due: { partitions: 2 }, webhook: { partitions: 3 } }';

async function plan(text: string, environment = variablesOf(world.environment)) {
  const file = join(folder, 'topology.yaml');
  writeFileSync(file, text);
  const { code, stdout, stderr } = await runCli(['plan', '--topology', file, '--detailed-exitcode', '--json'], {
    environment,
  });
  if (stdout === '') throw new Error(stderr);
  return { code, ...(JSON.parse(stdout) as Planned) };
}

const changesOf = ({ steps }: Planned) => steps.map(({ what, change }) => `${what}: ${change}`);

async function withPool<T>(work: (pool: Pool) => Promise<T>): Promise<T> {
  const pool = Pool.open(required(world.environment, 'WORKER_DATABASE_URL'), { clock: systemClock, size: 1 });
  try {
    return await work(pool);
  } finally {
    await pool.close();
  }
}

/** A release that is live, with two workers of each component. */
function release(text: string): Promise<number> {
  return withPool(async (pool) => {
    const number = await beginRelease(pool, {
      specification: { components: JSON.parse(text) as unknown },
      packageVersion: packageVersion(),
      image: null,
      program: null,
      target: 'local',
      environment: null,
      reason: 'deploy',
      who: 'ann',
      host: 'here',
    });
    await finishRelease(pool, number, 'live');
    for (const component of ['due', 'webhook'])
      for (const replica of [1, 2]) await wantPlacement(pool, { component, replica }, number);
    return number;
  });
}

test('plan compares the file with what runs and with what is there, and diff two releases', async () => {
  const first = await plan(SAME);
  expect(first).toMatchObject({ code: 3, release: null, refusals: [], unknown: [] });
  expect(changesOf(first)).toEqual(['due: new: 2 workers, 2 partitions', 'webhook: new: 2 workers, 3 partitions']);

  const one = await release('{ "due": { "partitions": 2 }, "webhook": { "partitions": 3 } }');
  expect(await plan(SAME)).toMatchObject({ code: 0, release: one, steps: [] });

  await withPool((pool) => removePlacement(pool, { component: 'webhook', replica: 2 }));
  expect(changesOf(await plan(SAME))).toEqual(['workers: 1 is started (webhook)']);
  await withPool((pool) => wantPlacement(pool, { component: 'webhook', replica: 2 }, one));

  const changed = await plan('components: { due: { partitions: 4, lead: 3s }, webhook: { partitions: 6 }, }');
  expect(changed.code).toBe(3);
  expect(changesOf(changed)).toEqual([
    'schedule-changes: partitions 2 → 4',
    'due.webhook: partitions 3 → 6',
    'connector: is registered again (transforms.partition.partition.topic.num differ)',
    'due: lead 2s → 3s',
    'workers: 4 of 4 are replaced (due, webhook)',
  ]);

  const refused = await plan('components: { due: { partitions: 2 }, webhook: { partitions: 2 } }');
  expect(refused).toMatchObject({ code: 1, refusals: [expect.stringMatching(/^due\.webhook has 3 partitions/)] });

  const two = await release('{ "due": { "partitions": 2 }, "webhook": { "partitions": 3, "replicas": 3 } }');
  const environment = variablesOf(world.environment);
  const diff = await runCli(['diff', String(one), String(two), '--json'], { environment });
  expect(JSON.parse(diff.stdout)).toMatchObject({
    from: `release ${one}`,
    changes: [{ component: 'webhook', field: 'replicas', from: '2', to: '3' }],
  });
  const none = await runCli(['diff', String(two + 5)], { environment });
  expect(none).toMatchObject({ code: 1, stderr: expect.stringContaining(`There is no release ${two + 5}`) });
});

test('a part that is away is named, and the others are planned all the same', async () => {
  const { code, unknown, steps } = await plan(SAME.replace('3', '6'), {
    ...variablesOf(world.environment),
    CONNECT_URL: 'http://127.0.0.1:1',
  });
  expect(code).toBe(1);
  expect(unknown).toEqual([expect.stringMatching(/^Kafka Connect: .*127\.0\.0\.1:1/)]);
  expect(steps.map(({ what }) => what)).toContain('due.webhook');
});

test('how the schema stands: up to date, before the first migration, made by a newer version', async () => {
  const url = required(world.environment, 'ADMIN_DATABASE_URL');
  expect(await readSchemaState(url)).toEqual({ isEmpty: false, pending: [], newer: 0 });
  const empty = await readSchemaState(`${url}_nothing`);
  expect(empty).toMatchObject({ isEmpty: true, newer: 0 });
  expect(empty.pending.length).toBeGreaterThan(20);

  const pool = Pool.open(url, { clock: systemClock, size: 1 });
  await pool.run("INSERT INTO __drizzle_migrations (hash, created_at) VALUES ('of a later version', 4102444800000)");
  await pool.close();
  expect(await readSchemaState(url)).toMatchObject({ pending: [], newer: 1 });
  expect(await plan(SAME)).toMatchObject({
    code: 1,
    refusals: [expect.stringMatching(/^The database has 1 migration that Downspout .* does not know/)],
  });
  // Whoever deploys need not be the administrator to be told.
  const environment = variablesOf(world.environment);
  const refused = (args: readonly string[], more = {}) =>
    runCli([...args, '--yes', '--no-supervisor', '--topology', join(folder, 'topology.yaml')], {
      environment: { ...environment, ...more },
      cwd: folder,
    });
  for (const more of [{}, { ADMIN_DATABASE_URL: '' }]) {
    expect(await refused(['deploy'], more)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(
        /Nothing was changed\. The database has 1 migration that Downspout \S+ does not know/,
      ),
    });
  }
  expect(await runCli(['migrate'], { environment })).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/has migrations that this version of Downspout does not know.*Nothing was changed/s),
  });
});
