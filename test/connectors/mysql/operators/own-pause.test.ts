import { DeployLock } from '../../../../connectors/mysql/operators/deploy-lock';
import { OwnPause } from '../../../../connectors/mysql/operators/own-pause';
import { beginRelease, currentRelease } from '../../../../connectors/mysql/operators/releases';
import { Pool } from '../../../../connectors/mysql/sql/pool';
import { deployTables } from '../../../../deploy/release/deploy-tables';
import { deactivateForKill } from '../../../../deploy/release/kill';
import { systemClock } from '../../../../topology/core/clock';
import { required } from '../../../../topology/settings/environment';
import { ManualClock } from '../../../support/manual-clock';
import { freshDatabase, type World } from '../../../support/stack/stack';
import { until } from '../../../support/until';

let world: World;
let pool: Pool;
let lock: DeployLock;

const pauses = () =>
  pool.rows<[string, number | null]>(
    'SELECT CONCAT(channel, command), until_at - CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED) FROM pauses ORDER BY channel, command',
  );
const by = { who: 'ann', host: 'host-1', doing: 'deploy' };

beforeEach(async () => {
  world = await freshDatabase();
  pool = Pool.open(required(world.environment, 'WORKER_DATABASE_URL'), { clock: systemClock, size: 4 });
  lock = await DeployLock.take(pool, systemClock, by);
});
afterEach(async () => {
  await lock.free();
  await pool.close();
  await world.close();
});

test('a pause of ours ends by itself when its command dies, so nothing stays paused when the command dies', async () => {
  const clock = new ManualClock();
  const pause = await OwnPause.begin(lock, clock, 'webhook');
  const [[channel, leftMs] = ['', 0]] = await pauses();
  expect(channel).toBe('webhookdeploy');
  expect(leftMs).toBeGreaterThan(20_000);
  expect(leftMs).toBeLessThanOrEqual(30_000);
  await pause.end();
  expect(await pauses()).toEqual([]);
});

test('a pause of ours lasts as long as its command works: what a killed command has left is taken over and renewed', async () => {
  const clock = new ManualClock();
  await OwnPause.begin(lock, new ManualClock(), 'webhook');
  const pause = await OwnPause.begin(lock, clock, 'webhook');
  await pool.run(`UPDATE pauses SET until_at=until_at-25000`);
  await clock.advance(5_000);
  await until('it was renewed', async () => ((await pauses())[0]?.[1] ?? 0) > 20_000);
  await pause.end();
  expect(await pauses()).toEqual([]);
});

test.each([
  ['before', true],
  ['meanwhile', false],
])('what a person has paused stays paused: %s', async (_, isBefore) => {
  const byPerson =
    "INSERT INTO pauses (channel, account, paused_at) VALUES ('webhook', '', 1) ON DUPLICATE KEY UPDATE until_at=NULL";
  if (isBefore) await pool.run(byPerson);
  const pause = await OwnPause.begin(lock, new ManualClock(), 'webhook');
  if (!isBefore) await pool.run(byPerson);
  expect((await pauses()).map(([name]) => name)).toEqual(['webhook', 'webhookdeploy']);
  await pause.end();
  expect(await pauses()).toEqual([['webhook', null]]);
});

test('a pause of ours that has ended by itself does not begin again, and whoever relies on it is told', async () => {
  const clock = new ManualClock();
  const pause = await OwnPause.begin(lock, clock, 'webhook');
  await pause.extend();
  await pool.run('UPDATE pauses SET until_at=until_at-31000');
  await clock.advance(5_000);
  await expect(pause.extend()).rejects.toThrow('The pause of webhook has ended by itself');
  expect((await pauses())[0]?.[1]).toBeLessThan(0);
  await pause.end();
  expect(await pauses()).toEqual([]);
});

test('a command that has lost the right to deploy changes no pause any more', async () => {
  const pause = await OwnPause.begin(lock, new ManualClock(), 'webhook');
  await pool.run("UPDATE deploy_lock SET holder=x'00000000000000000000000000000001'");
  await expect(pause.end()).rejects.toThrow('lost the right to deploy');
  expect(await pauses()).toHaveLength(1);
});

test('what becomes live ends the pause of kill in the same transaction, and no other', async () => {
  const tables = deployTables(pool, lock);
  const number = await beginRelease(pool, {
    specification: {},
    packageVersion: '1.0.0',
    image: null,
    program: null,
    target: 'local',
    environment: null,
    reason: 'deploy',
    who: 'ann',
    host: 'host-1',
  });
  await lock.transaction(deactivateForKill);
  await lock.transaction(deactivateForKill);
  expect(await tables.isDeactivated()).toBe(true);
  await tables.finish(number, 'live', null);
  expect(await tables.isDeactivated()).toBe(false);
  // Again, because the first answer may be lost; and what is live does not fail any more.
  await tables.finish(number, 'live', null);
  await tables.finish(number, 'failed', 'too late');
  expect(await currentRelease(pool)).toMatchObject({ number, outcome: 'live', detail: null });
  await pool.run("INSERT INTO pauses (channel, account, paused_at) VALUES ('', '', 1)");
  await tables.endKill();
  expect(await tables.isDeactivated()).toBe(true);
});
