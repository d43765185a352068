import { DeployLock, readDeployLock } from '../../../../connectors/mysql/operators/deploy-lock';
import { beginRelease, listReleases } from '../../../../connectors/mysql/operators/releases';
import { Pool } from '../../../../connectors/mysql/sql/pool';
import { type Clock, systemClock } from '../../../../topology/core/clock';
import { required } from '../../../../topology/settings/environment';
import { freshDatabase, type World } from '../../../support/stack/stack';
import { until } from '../../../support/until';

let world: World;
let pool: Pool;

const ann = { who: 'ann', host: 'host-1', doing: 'deploy of release 7' };
const bob = { who: 'bob', host: 'host-2', doing: 'deploy' };
/** A clock by which a command never comes to its next renewal, as if its process were stopped. */
const stopped: Clock = {
  ...systemClock,
  sleep: (_, signal) => new Promise((end) => signal?.addEventListener('abort', () => end())),
};
const release = {
  specification: {},
  packageVersion: '1.0.0',
  image: null,
  program: null,
  target: 'local' as const,
  environment: null,
  reason: 'deploy',
  who: 'ann',
  host: 'host-1',
};
const urlOf = () => required(world.environment, 'WORKER_DATABASE_URL');
const runOut = () => pool.run('UPDATE deploy_lock SET lease_until = lease_until - 20000');

beforeEach(async () => {
  world = await freshDatabase();
  pool = Pool.open(urlOf(), { clock: systemClock, size: 4 });
});
afterEach(async () => {
  await pool.close();
  await world.close();
});

test('of two who deploy at once one is told who is at it, since when, doing what and from which host', async () => {
  const waits: string[] = [];
  const [first, second] = await Promise.allSettled([
    DeployLock.take(pool, systemClock, ann, (text) => waits.push(text)),
    DeployLock.take(pool, systemClock, { ...ann, who: 'bob' }, (text) => waits.push(text)),
  ]);
  const [won, lost] = first.status === 'fulfilled' ? [first, second] : [second, first];
  const holder = first.status === 'fulfilled' ? 'ann' : 'bob';
  const told = new RegExp(`^${holder} on host-1 has been at \`deploy of release 7\` since 2\\d{3}-.*Z`);
  expect(lost).toMatchObject({
    status: 'rejected',
    reason: { name: 'UserError', message: expect.stringMatching(told) },
  });
  expect(waits).toEqual([expect.stringMatching(told)]);
  await (won as PromiseFulfilledResult<DeployLock>).value.free();
});

test('it is free again at once after its holder is done, and says what the holder does meanwhile', async () => {
  const first = await DeployLock.take(pool, systemClock, ann);
  await first.describe('deploy of release 8');
  expect(await readDeployLock(pool)).toMatchObject({ who: 'ann', host: 'host-1', doing: 'deploy of release 8' });
  await first.free();
  expect(await readDeployLock(pool)).toBeNull();
  const second = await DeployLock.take(pool, systemClock, bob, () => {
    throw new Error('nobody has it');
  });
  await second.free();
});

test('a deployer that died holds up the next one for a lease at most', async () => {
  const dead = await DeployLock.take(pool, stopped, ann);
  await pool.run('UPDATE deploy_lock SET lease_until = lease_until - 8000');
  const waits: string[] = [];
  const next = await DeployLock.take(pool, systemClock, bob, (text) => waits.push(text));
  expect(waits).toEqual([expect.stringMatching(/^ann on host-1 .*waiting to see whether it goes on/)]);
  expect(await readDeployLock(pool)).toMatchObject({ who: 'bob' });
  // What it frees is not its own any more.
  await dead.free();
  expect(await readDeployLock(pool)).toMatchObject({ who: 'bob' });
  await next.free();
});

test('a deployer that lost its lease changes nothing any more', async () => {
  const late = await DeployLock.take(pool, stopped, ann);
  const write = () => late.transaction((sql) => beginRelease(sql, release));
  await runOut();
  const next = await DeployLock.take(pool, systemClock, bob);
  await expect(write()).rejects.toThrow('lost the right to deploy');
  expect(late.lost.aborted).toBe(true);
  expect(await listReleases(pool, 10)).toEqual([]);
  await next.transaction((sql) => beginRelease(sql, release));
  expect(await listReleases(pool, 10)).toHaveLength(1);
  await Promise.all([late.free(), next.free()]);
});

test('a lease that ran out while the database was away, and that nobody took, holds again', async () => {
  const lock = await DeployLock.take(pool, systemClock, ann);
  await runOut();
  await until('it is renewed', async () => (await readDeployLock(pool)) !== null);
  await lock.transaction((sql) => beginRelease(sql, release));
  expect(await listReleases(pool, 10)).toHaveLength(1);
  await lock.free();
});

test('a deployer that lost its lease hears of it while it waits', async () => {
  const lock = await DeployLock.take(pool, systemClock, ann);
  await pool.run("UPDATE deploy_lock SET holder = x'00000000000000000000000000000000'");
  await until('it knows', () => lock.lost.aborted);
  await lock.free();
  expect(await pool.rows('SELECT 1 FROM deploy_lock')).toHaveLength(1);
});

test('the wait for the lock ends with the signal', async () => {
  const lock = await DeployLock.take(pool, systemClock, ann);
  const interrupt = new AbortController();
  const waiting = DeployLock.take(
    pool,
    systemClock,
    bob,
    () => interrupt.abort(new Error('interrupted')),
    interrupt.signal,
  );
  await expect(waiting).rejects.toThrow('interrupted');
  await lock.free();
});
