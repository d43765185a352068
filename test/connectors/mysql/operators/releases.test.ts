import {
  beginRelease,
  currentRelease,
  finishRelease,
  listReleases,
  type NewRelease,
  readRelease,
  unfinishedReleases,
} from '../../../../connectors/mysql/operators/releases';
import { Pool } from '../../../../connectors/mysql/sql/pool';
import { systemClock } from '../../../../topology/core/clock';
import { required } from '../../../../topology/settings/environment';
import { freshDatabase, type World } from '../../../support/stack/stack';

let world: World;
let pool: Pool;

const release: NewRelease = {
  specification: { components: { due: { lead: '2s', replicas: 2 }, webhook: {} } },
  packageVersion: '1.2.3',
  image: null,
  program: '/opt/downspout/bin.js',
  target: 'local',
  environment: 'production',
  reason: 'deploy',
  who: 'ann',
  host: 'host-1',
};

beforeEach(async () => {
  world = await freshDatabase();
  pool = Pool.open(required(world.environment, 'WORKER_DATABASE_URL'), { clock: systemClock, size: 4 });
});
afterEach(async () => {
  await pool.close();
  await world.close();
});

test('a release is read as it was written, with its units', async () => {
  const number = await beginRelease(pool, release);
  expect(await readRelease(pool, number)).toEqual({
    ...release,
    number,
    createdAt: expect.any(Number),
    outcome: 'deploying',
    endedAt: null,
    detail: null,
  });
  expect(await unfinishedReleases(pool)).toHaveLength(1);
});

test('the current release is the newest that became live, and there is one at a time', async () => {
  expect(await currentRelease(pool)).toBeNull();
  const numbers: number[] = [];
  for (const outcome of ['live', 'failed', 'live', 'rolled_back'] as const) {
    const number = await beginRelease(pool, release);
    numbers.push(number);
    await pool.transaction((sql) => finishRelease(sql, number, outcome, `it is ${outcome}`));
  }
  expect(await currentRelease(pool)).toMatchObject({ number: numbers[2], detail: 'it is live' });
  const all = await listReleases(pool, 10);
  expect(all.map(({ number, outcome }) => [number, outcome])).toEqual([
    [numbers[3], 'rolled_back'],
    [numbers[2], 'live'],
    [numbers[1], 'failed'],
    [numbers[0], 'superseded'],
  ]);
  expect(await unfinishedReleases(pool)).toEqual([]);
});

test('a release that does not exist is named, with those that there are', async () => {
  await expect(readRelease(pool, 3)).rejects.toThrow('There is no release 3. Nothing was deployed yet');
  const number = await beginRelease(pool, release);
  await expect(readRelease(pool, number + 1)).rejects.toThrow(`There are ${number} to ${number}`);
});

test('texts longer than their columns are cut', async () => {
  const long = 'ü'.repeat(2_000);
  const number = await beginRelease(pool, { ...release, reason: long, who: long, host: long });
  await finishRelease(pool, number, 'failed', long);
  expect(await readRelease(pool, number)).toMatchObject({ reason: 'ü'.repeat(255), detail: 'ü'.repeat(1_024) });
});

test('a release is read on the schema of before its environment was kept, because a deploy looks before it migrates', async () => {
  const number = await beginRelease(pool, release);
  const admin = Pool.open(required(world.environment, 'ADMIN_DATABASE_URL'), { clock: systemClock, size: 1 });
  try {
    await admin.run('ALTER TABLE releases DROP COLUMN environment');
  } finally {
    await admin.close();
  }
  expect(await readRelease(pool, number)).toMatchObject({ ...release, environment: null });
});
