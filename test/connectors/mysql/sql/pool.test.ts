import { Pool, type Sql } from '../../../../connectors/mysql/sql/pool';
import { systemClock } from '../../../../topology/core/clock';
import { required } from '../../../../topology/settings/environment';
import { freshDatabase, type World } from '../../../support/stack/stack';

let world: World;
let pool: Pool;

beforeAll(async () => {
  world = await freshDatabase();
  pool = open({});
  await pool.run("INSERT INTO pauses (channel, paused_at) VALUES ('a', 0), ('b', 0)");
});
afterAll(async () => {
  await pool.close();
  await world.close();
});

const open = (options: { size?: number; timeoutMs?: number }) =>
  Pool.open(required(world.environment, 'ADMIN_DATABASE_URL'), { clock: systemClock, size: 4, ...options });
const set = (sql: Sql, channel: string, at: number) =>
  sql.run(`UPDATE pauses SET paused_at=${at} WHERE channel='${channel}'`);
const unavailable = { name: 'Unavailable', message: expect.stringMatching(/^MySQL/) };

test('every connection has the settings that the statements count on', async () => {
  const [row] = await pool.rows(
    'SELECT @@transaction_isolation, @@time_zone, @@innodb_lock_wait_timeout, @@range_optimizer_max_mem_size, @@sql_mode',
  );
  expect(row).toEqual(['READ-COMMITTED', '+00:00', 1, 0, expect.stringContaining('STRICT_TRANS_TABLES')]);
});

test('no answer is awaited for ever: the connection is given up, and the next one works', async () => {
  const hasty = open({ size: 1, timeoutMs: 200 });
  await expect(hasty.rows('SELECT SLEEP(5)')).rejects.toMatchObject(unavailable);
  expect(await hasty.rows('SELECT 1')).toEqual([[1]]);
  await hasty.close();
});

test('a lost connection is Unavailable, and the next one works', async () => {
  const single = open({ size: 1 });
  const lost = single.use(async (sql) => {
    const [row] = await sql.rows<[number]>('SELECT CONNECTION_ID()');
    await pool.run(`KILL ${row?.[0]}`);
    return sql.rows('SELECT 1');
  });
  await expect(lost).rejects.toMatchObject(unavailable);
  expect(await single.rows('SELECT 1')).toEqual([[1]]);
  await single.close();
});

test("a transaction that was a deadlock's victim runs again", async () => {
  let tries = 0;
  // Each holds one row before it asks for the other's: one of them has to give way.
  const waiting: (() => void)[] = [];
  const bothHold = () =>
    new Promise<void>((resolve) => {
      waiting.push(resolve);
      if (waiting.length >= 2) for (const go of waiting) go();
    });
  const cross = (first: string, second: string, at: number) =>
    pool.transaction(async (sql) => {
      tries++;
      await set(sql, first, at);
      await bothHold();
      await set(sql, second, at);
    });
  await Promise.all([cross('a', 'b', 1), cross('b', 'a', 2)]);
  expect(tries).toBe(3);
  const rows = await pool.rows<[number]>('SELECT DISTINCT paused_at FROM pauses');
  expect(rows).toHaveLength(1);
});

test('a transaction whose work fails is rolled back, and its connection stays', async () => {
  const single = open({ size: 1 });
  const id = async () => (await single.rows<[number]>('SELECT CONNECTION_ID()'))[0]?.[0];
  const before = await id();
  const failing = single.transaction(async (sql) => {
    await set(sql, 'a', 77);
    await sql.run('NONSENSE');
  });
  await expect(failing).rejects.toThrow(/syntax/);
  expect(await id()).toBe(before);
  expect(await pool.rows('SELECT 1 FROM pauses WHERE paused_at=77')).toEqual([]);
  await single.close();
});

test('what the schema lacks is a UserError that says what to do', async () => {
  await expect(pool.rows('SELECT 1 FROM nothing')).rejects.toMatchObject({
    name: 'UserError',
    message: expect.stringMatching(/run `downspout migrate`/),
  });
});
