import { migrate } from '../../../../connectors/mysql/schema/migrate';
import { createUsers } from '../../../../connectors/mysql/schema/users';
import { addressOf, Pool } from '../../../../connectors/mysql/sql/pool';
import { systemClock } from '../../../../topology/core/clock';
import { required } from '../../../../topology/settings/environment';
import { freshDatabase, type World } from '../../../support/stack/stack';

let world: World;
let admin: Pool;
let url: string;

beforeAll(async () => {
  world = await freshDatabase();
  url = required(world.environment, 'ADMIN_DATABASE_URL');
  admin = Pool.open(url, { clock: systemClock, size: 2 });
});
afterAll(async () => {
  await admin.close();
  await world.close();
});

const other = () => `${url}_other`;
const as = async <T>(
  name: 'DATABASE_URL' | 'WORKER_DATABASE_URL' | 'CDC_DATABASE_URL',
  work: (pool: Pool) => Promise<T>,
) => {
  const pool = Pool.open(required(world.environment, name), { clock: systemClock, size: 1 });
  try {
    return await work(pool);
  } finally {
    await pool.close();
  }
};

const dropOther = () => admin.run(`DROP DATABASE IF EXISTS \`${addressOf(other()).database}\``);

describe('migrate', () => {
  afterEach(dropOther);

  test('does nothing when the schema is up to date', async () => {
    expect(await migrate(url)).toEqual([]);
  });

  test('a dry run says what would run, and changes nothing', async () => {
    const reported: string[] = [];
    const statements = await migrate(other(), { dryRun: true, report: (sql) => reported.push(sql) });
    expect(statements[0]).toMatch(/^CREATE DATABASE/);
    expect(statements.slice(1).every((sql) => sql.startsWith('CREATE TABLE'))).toBe(true);
    expect(statements).toHaveLength(6);
    expect(reported).toEqual(statements);
    expect(await migrate(other())).toEqual(statements);
    expect(await migrate(other(), { dryRun: true })).toEqual([]);
  });

  test('two at once are one after the other', async () => {
    const both = await Promise.all([migrate(other()), migrate(other())]);
    expect(both.map(({ length }) => length).toSorted((a, b) => a - b)).toEqual([0, 6]);
  });

  test('one that was broken off is finished by the next', async () => {
    await migrate(other());
    const { database } = addressOf(other());
    await admin.run(`DELETE FROM \`${database}\`.__drizzle_migrations ORDER BY id DESC LIMIT 2`);
    await admin.run(`DROP TABLE \`${database}\`.pauses`);
    expect(await migrate(other())).toHaveLength(2);
    expect(await admin.rows(`SELECT * FROM \`${database}\`.pauses`)).toEqual([]);
  });

  test('the table has defaults for everything but account, channel, payload and due time', async () => {
    await admin.run(`INSERT INTO scheduled_messages (account, channel, payload, due_at) VALUES ('a', 'x', '{}', 5)`);
    const rows = await admin.rows('SELECT state, version, wake_at, open, shard FROM scheduled_messages');
    expect(rows).toEqual([['scheduled', 1, 5, 1, 67]]);
  });
});

describe('users', () => {
  const denied = { name: 'UserError', message: expect.stringMatching(/denied/) };

  test('the application may not touch what belongs to the workers', async () => {
    await as('DATABASE_URL', async (app) => {
      for (const sql of [
        "UPDATE scheduled_messages SET claim=x'00000000000000000000000000000001'",
        'UPDATE scheduled_messages SET delivered_at=1',
        'UPDATE scheduled_messages SET in_doubt=0',
        'UPDATE workers SET dead=0',
        'UPDATE delivery_attempts SET error=NULL',
        'DROP TABLE pauses',
      ]) {
        await expect(app.run(sql)).rejects.toMatchObject(denied);
      }
      await app.run('UPDATE scheduled_messages SET due_at=1, version=version+1 WHERE id=0');
      await app.run("INSERT INTO scheduled_messages (account, channel, payload, due_at) VALUES ('a', 'x', '{}', 5)");
    });
  });

  test('workers neither add nor delete messages, and cannot set secrets', async () => {
    await as('WORKER_DATABASE_URL', async (worker) => {
      for (const sql of [
        "INSERT INTO scheduled_messages (account, channel, payload, due_at) VALUES ('a', 'x', '{}', 5)",
        'DELETE FROM scheduled_messages',
        'DELETE FROM delivery_attempts',
        'DELETE FROM accounts',
        "INSERT INTO pauses (channel, paused_at) VALUES ('x', 1)",
      ]) {
        await expect(worker.run(sql)).rejects.toMatchObject(denied);
      }
    });
  });

  test("Debezium's user reads the one table", async () => {
    const pool = Pool.open(url, { clock: systemClock, size: 1 });
    const { user } = addressOf(required(world.environment, 'CDC_DATABASE_URL'));
    const { database } = addressOf(url);
    const grants = (await pool.rows<[string]>(`SHOW GRANTS FOR '${user}'@'%'`)).map(([grant]) => grant);
    await pool.close();
    const own = grants.filter((grant) => grant.includes(`\`${database}\``));
    expect(own).toEqual([`GRANT SELECT ON \`${database}\`.\`scheduled_messages\` TO \`${user}\`@\`%\``]);
    expect(grants.find((grant) => grant.includes('*.*'))).toBe(
      `GRANT RELOAD, SHOW DATABASES, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO \`${user}\`@\`%\``,
    );
  });

  test('making them again is harmless', async () => {
    const again = createUsers(url, {
      app: required(world.environment, 'DATABASE_URL'),
      worker: required(world.environment, 'WORKER_DATABASE_URL'),
      cdc: required(world.environment, 'CDC_DATABASE_URL'),
    });
    await expect(again).resolves.toBeUndefined();
  });
});
