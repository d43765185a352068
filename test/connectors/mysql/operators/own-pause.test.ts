import { OwnPause } from '../../../../connectors/mysql/operators/own-pause';
import { Pool } from '../../../../connectors/mysql/sql/pool';
import { systemClock } from '../../../../topology/core/clock';
import { required } from '../../../../topology/settings/environment';
import { ManualClock } from '../../../support/manual-clock';
import { freshDatabase, type World } from '../../../support/stack/stack';
import { until } from '../../../support/until';

let world: World;
let pool: Pool;

const pauses = () =>
  pool.rows<[string, number | null]>(
    'SELECT channel, until_at - CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED) FROM pauses',
  );

beforeEach(async () => {
  world = await freshDatabase();
  pool = Pool.open(required(world.environment, 'DATABASE_URL'), { clock: systemClock, size: 2 });
});
afterEach(async () => {
  await pool.close();
  await world.close();
});

test('a pause of ours ends by itself when its command dies, so nothing stays paused when the command dies', async () => {
  const clock = new ManualClock();
  const pause = await OwnPause.begin(pool, clock, 'webhook');
  const [[channel, leftMs] = ['', 0]] = await pauses();
  expect(channel).toBe('webhook');
  expect(leftMs).toBeGreaterThan(10_000);
  expect(leftMs).toBeLessThanOrEqual(30_000);
  await clock.advance(15_000);
  await until('it was renewed', async () => ((await pauses())[0]?.[1] ?? 0) > 30_000);
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
  const pause = await OwnPause.begin(pool, new ManualClock(), 'webhook');
  if (!isBefore) await pool.run(byPerson);
  await pause.end();
  expect(await pauses()).toEqual([['webhook', null]]);
});

test('a pause that ran out is taken for none', async () => {
  await pool.run("INSERT INTO pauses (channel, account, paused_at, until_at) VALUES ('webhook', '', 1, 2)");
  const pause = await OwnPause.begin(pool, new ManualClock(), 'webhook');
  expect((await pauses())[0]?.[1]).toBeGreaterThan(10_000);
  await pause.end();
  expect(await pauses()).toEqual([]);
});
