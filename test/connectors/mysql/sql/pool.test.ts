import { escape } from 'mysql2';
import { Pool } from '../../../../connectors/mysql/sql/pool';
import type { Sql } from '../../../../connectors/mysql/sql/sql';
import { type Clock, systemClock } from '../../../../topology/core/clock';
import { required } from '../../../../topology/settings/environment';
import { ManualClock } from '../../../support/manual-clock';
import { freshDatabase, type World } from '../../../support/stack/stack';
import { until } from '../../../support/until';

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

const open = (options: { size?: number; timeoutMs?: number; silenceSeconds?: number; clock?: Clock }) =>
  Pool.open(required(world.environment, 'ADMIN_DATABASE_URL'), { clock: systemClock, size: 4, ...options });
const set = (sql: Sql, channel: string, at: number) =>
  sql.run(`UPDATE pauses SET paused_at=${at} WHERE channel='${channel}'`);
const isFree = async (sql: Sql, channel: string) =>
  (await sql.rows(`SELECT 1 FROM pauses WHERE channel='${channel}' FOR UPDATE SKIP LOCKED`)).length === 1;
const sleeping = () => pool.rows("SELECT id FROM information_schema.processlist WHERE info LIKE 'DO SLEEP(600%'");
const tables = ['a', 'b', 'c', 'd'].map((name) => `information_schema.collations ${name}`);
const endless = `SELECT COUNT(*) FROM ${tables.join(', ')}`;
const unavailable = { name: 'Unavailable', message: expect.stringMatching(/^MySQL/) };

test('every connection has the settings that the statements count on', async () => {
  const [row] = await pool.rows(
    'SELECT @@transaction_isolation, @@time_zone, @@innodb_lock_wait_timeout, @@range_optimizer_max_mem_size, @@lock_wait_timeout, @@max_execution_time, @@wait_timeout, @@sql_mode',
  );
  const strict = expect.stringContaining('STRICT_TRANS_TABLES');
  expect(row).toEqual(['READ-COMMITTED', '+00:00', 1, 0, 5, 9_000, 20, strict]);
});

test('a server that gives other settings to new sessions changes nothing', async () => {
  await pool.run("CREATE USER IF NOT EXISTS 'downspout_other'@'%' IDENTIFIED BY 'secret'");
  const url = new URL(required(world.environment, 'WORKER_DATABASE_URL'));
  const database = url.pathname.slice(1);
  await pool.run(`GRANT SELECT, INSERT, DELETE ON \`${database}\`.* TO 'downspout_other'@'%'`);
  const [[before] = ['']] = await pool.rows<[string]>('SELECT @@GLOBAL.init_connect');
  const others = {
    autocommit: ['0', '1'],
    completion_type: ["'CHAIN'", "'NO_CHAIN'"],
    character_set_client: ["'latin1'", "'utf8mb4'"],
    character_set_results: ["'latin1'", "'utf8mb4'"],
    collation_connection: ["'latin1_swedish_ci'", "'utf8mb4_general_ci'"],
    sql_select_limit: ['1', '1000000'],
    sql_safe_updates: ['1', '0'],
  };
  // Other connections of this server are made meanwhile.
  const settings = Object.entries(others).map(
    ([name, [other, usual]]) => `${name}=IF(USER() LIKE 'downspout_other@%', ${other}, ${usual})`,
  );
  await pool.run(`SET GLOBAL init_connect=${escape(`SET ${settings.join(', ')}`)}`);
  [url.username, url.password] = ['downspout_other', 'secret'];
  const other = Pool.open(url.href, { clock: systemClock, size: 1 });
  try {
    await other.run(
      "INSERT INTO pauses (channel, account, paused_at) VALUES ('Grüße 😀', '', 1), ('Grüße 😀', 'b', 1)",
    );
    expect(await pool.rows("SELECT channel, account FROM pauses WHERE channel='Grüße 😀' ORDER BY account")).toEqual([
      ['Grüße 😀', ''],
      ['Grüße 😀', 'b'],
    ]);
    expect(await other.rows("SELECT channel FROM pauses WHERE channel='Grüße 😀'")).toEqual([
      ['Grüße 😀'],
      ['Grüße 😀'],
    ]);
    await other.run('DELETE FROM pauses WHERE paused_at=1');
    expect(await pool.rows('SELECT 1 FROM pauses WHERE paused_at=1')).toEqual([]);
  } finally {
    await pool.run(`SET GLOBAL init_connect=${escape(before)}`);
    await other.close();
    await pool.run("DROP USER 'downspout_other'@'%'");
  }
});

test('no answer is awaited for ever: the connection is given up, its statement ended, and the next one works', async () => {
  const hasty = open({ size: 1, timeoutMs: 200 });
  await expect(hasty.run('DO SLEEP(600)')).rejects.toMatchObject(unavailable);
  expect(await hasty.rows('SELECT 1')).toEqual([[1]]);
  await until('the server has ended the statement', async () => (await sleeping()).length === 0);
  await hasty.close();
});

test('a SELECT that takes too long is interrupted by the server, and its connection stays', async () => {
  const hasty = open({ size: 1, timeoutMs: 3_000 });
  const id = async () => (await hasty.rows<[number]>('SELECT CONNECTION_ID()'))[0]?.[0];
  const before = await id();
  await expect(hasty.rows(endless)).rejects.toMatchObject({
    name: 'Unavailable',
    message: expect.stringMatching(/maximum statement execution time/),
  });
  expect(await id()).toBe(before);
  await hasty.close();
});

test('a row that somebody holds is Unavailable, and the connection stays', async () => {
  const single = open({ size: 1 });
  const id = async () => (await single.rows<[number]>('SELECT CONNECTION_ID()'))[0]?.[0];
  const before = await id();
  await pool.transaction(async (sql) => {
    await set(sql, 'a', 1);
    await expect(single.transaction((other) => set(other, 'a', 2))).rejects.toMatchObject({ name: 'Unavailable' });
  });
  expect(await id()).toBe(before);
  await single.close();
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

test('whoever falls silent within a transaction loses it, and others get its rows', async () => {
  const frozen = open({ size: 1, silenceSeconds: 1 });
  const other = open({ size: 1 });
  const silent = frozen.transaction(async (sql) => {
    await set(sql, 'a', 3);
    expect(await isFree(other, 'a')).toBe(false);
    await until('the row is free', () => isFree(other, 'a'));
  });
  await expect(silent).rejects.toMatchObject(unavailable);
  expect(await frozen.rows("SELECT 1 FROM pauses WHERE channel='a' AND paused_at=3")).toEqual([]);
  await Promise.all([frozen.close(), other.close()]);
});

test('connections that nobody uses stay open', async () => {
  const quiet = open({ size: 2, silenceSeconds: 3 });
  const ids = async () => {
    const rows = await Promise.all([1, 2].map(() => quiet.rows<[number]>('SELECT CONNECTION_ID(), SLEEP(0.1)')));
    return rows.map(([row]) => String(row?.[0])).toSorted();
  };
  const before = await ids();
  // The server's own time is what closes connections.
  await pool.run('DO SLEEP(7)');
  expect(await ids()).toEqual(before);
  await quiet.close();
});

test('a user who may have few connections does all of its work with those that it has', async () => {
  await pool.run("CREATE USER IF NOT EXISTS 'downspout_few'@'%' IDENTIFIED BY 'secret'");
  await pool.run("ALTER USER 'downspout_few'@'%' WITH MAX_USER_CONNECTIONS 3");
  await pool.run("GRANT SELECT ON *.* TO 'downspout_few'@'%'");
  const url = new URL(required(world.environment, 'ADMIN_DATABASE_URL'));
  [url.username, url.password] = ['downspout_few', 'secret'];
  const few = Pool.open(url.href, { clock: systemClock, size: 10, patient: true });
  const refused: unknown[] = [];
  try {
    const read = (n: number) => few.rows<[number, number]>(`SELECT ${n}, SLEEP(0.05)`);
    const readInTheEnd = (n: number) =>
      until(`${n} was read`, () =>
        read(n).then(
          () => true,
          (error: unknown) => {
            refused.push(error);
            return false;
          },
        ),
      );
    await Promise.all(Array.from({ length: 20 }, (_, n) => readInTheEnd(n)));
    expect(refused).not.toEqual([]);
    for (const error of refused) {
      expect(error).toMatchObject({ name: 'Unavailable', message: expect.stringMatching(/max_user_connections/) });
    }
  } finally {
    await few.close();
    await pool.run("DROP USER 'downspout_few'@'%'");
  }
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

const lacking = { name: 'UserError', message: expect.stringMatching(/run `downspout migrate`/) };

test('what the schema lacks at the beginning is a UserError that says what to do', async () => {
  const fresh = open({ size: 1 });
  for (const statement of ['SELECT 1 FROM nothing', 'SELECT nothing FROM pauses']) {
    await expect(fresh.rows(statement)).rejects.toMatchObject(lacking);
  }
  await fresh.close();
});

test('a table that is missing for a moment is Unavailable, for half a minute', async () => {
  const clock = new ManualClock();
  const working = open({ size: 1, clock });
  const read = () => working.rows("SELECT paused_at FROM pauses WHERE channel='a'");
  const before = await read();
  await pool.run('RENAME TABLE pauses TO pauses_old');
  await expect(read()).rejects.toMatchObject({ name: 'Unavailable', message: expect.stringMatching(/is missing/) });
  await clock.advance(29_000);
  await expect(read()).rejects.toMatchObject({ name: 'Unavailable' });
  await clock.advance(2_000);
  await expect(read()).rejects.toMatchObject(lacking);
  await pool.run('RENAME TABLE pauses_old TO pauses');
  expect(await read()).toEqual(before);
  await clock.advance(3_600_000);
  await expect(working.rows('SELECT nothing FROM pauses')).rejects.toMatchObject({ name: 'Unavailable' });
  await working.close();
});
