import { join } from 'node:path';
import { readMigrationFiles } from 'drizzle-orm/migrator';
import { migrate, migrationScript } from '../../../../connectors/mysql/schema/migrate';
import { createUsers } from '../../../../connectors/mysql/schema/users';
import { addressOf } from '../../../../connectors/mysql/sql/address';
import { Pool } from '../../../../connectors/mysql/sql/pool';
import type { Sql } from '../../../../connectors/mysql/sql/sql';
import { systemClock } from '../../../../topology/core/clock';
import { required } from '../../../../topology/settings/environment';
import { packageRoot } from '../../../../topology/settings/package';
import { freshDatabase, type World } from '../../../support/stack/stack';
import { until } from '../../../support/until';

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

const files = readMigrationFiles({ migrationsFolder: join(packageRoot(), 'connectors/mysql/schema/migrations') });
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

const kindOf = (sql: string) => /CREATE|INSERT|MODIFY|ADD \w+/.exec(sql)?.[0];

/** Of the migration that says this. */
const indexOf = (text: string) => files.findIndex(({ sql }) => sql.join('').includes(text));

/** As the first migrations left it: those before the range of due times unless others are named. */
const asBefore = async (work: (sql: Sql) => Promise<unknown>, count = 5) => {
  const { database } = addressOf(other());
  const made = await migrate(other(), { dryRun: true });
  await admin.use(async (sql) => {
    await sql.run(made[0] as string);
    await sql.run(`USE \`${database}\``);
    for (const statement of files.slice(0, count).flatMap((file) => file.sql)) await sql.run(statement);
    await work(sql);
    await sql.run(`USE \`${addressOf(url).database}\``);
  });
};
const message = (id: number, dueAt: number, key: string) =>
  `INSERT INTO scheduled_messages (id, account, channel, payload, due_at, dedupe_key) VALUES (${id}, 'a', 'x', '{}', ${dueAt}, '${key}')`;
const table = () => `\`${addressOf(other()).database}\`.scheduled_messages`;

const dropOther = () => admin.run(`DROP DATABASE IF EXISTS \`${addressOf(other()).database}\``);

/** As somebody does at a prompt. */
const runByHand = async (statements: readonly string[]) => {
  const pool = Pool.open(url, { clock: systemClock, size: 1 });
  try {
    await pool.use(async (sql) => {
      for (const statement of statements) await sql.run(statement);
    });
  } finally {
    await pool.close();
  }
};
const columnsOf = (database: string) =>
  admin.rows(
    `SELECT table_name, column_name, column_type, is_nullable, column_default, generation_expression, collation_name
     FROM information_schema.columns WHERE table_schema = '${database}' ORDER BY 1, 2`,
  );

describe('migrate', () => {
  afterEach(dropOther);

  test('does nothing when the schema is up to date', async () => {
    expect(await migrate(url)).toEqual([]);
  });

  test('a dry run says what would run, and changes nothing', async () => {
    const reported: string[] = [];
    const statements = await migrate(other(), { dryRun: true, report: (sql) => reported.push(sql) });
    expect(statements[0]).toMatch(/^CREATE DATABASE/);
    expect(statements.slice(1).every((sql) => /^(CREATE TABLE|ALTER TABLE|INSERT INTO)/.test(sql))).toBe(true);
    expect(statements).toHaveLength(1 + files.length);
    expect(reported).toEqual(statements);
    expect(await migrate(other())).toEqual(statements);
    expect(await migrate(other(), { dryRun: true })).toEqual([]);
  });

  describe('the script of a dry run, run by somebody who changes schemas by hand,', () => {
    test('makes what `migrate` makes, and says so to the next one', async () => {
      const script = await migrationScript(other());
      expect(script.filter((statement) => statement.trimEnd().endsWith(';'))).toEqual([]);
      await runByHand(script);
      expect(await columnsOf(addressOf(other()).database)).toEqual(await columnsOf(addressOf(url).database));
      expect(await migrationScript(other())).toEqual([]);
      expect(await migrate(other())).toEqual([]);
    });

    test('and broken off after any kind of statement goes on where it was', async () => {
      const whole = await migrationScript(other());
      const adds = whole.findLastIndex(
        (statement) => statement.startsWith('ALTER TABLE') && /\bADD COLUMN\b/.test(statement),
      );
      expect(adds).toBeGreaterThan(0);
      await runByHand(whole.slice(0, adds + 1));
      const rest = await migrationScript(other());
      // The column is there, and only the row about it is left.
      expect(rest.slice(3)).toEqual(whole.slice(adds + 1));
      await runByHand(rest);
      expect(await migrate(other())).toEqual([]);
    });
  });

  test('the script of a dry run makes the same in a session with other settings, and holds up nobody for long', async () => {
    const { database } = addressOf(other());
    const pool = Pool.open(url, { clock: systemClock, size: 1 });
    try {
      await pool.use(async (sql) => {
        await sql.run("SET SESSION autocommit=0, default_storage_engine='MyISAM', lock_wait_timeout=31536000");
        for (const statement of await migrationScript(other())) await sql.run(statement);
        expect(await sql.rows('SELECT @@lock_wait_timeout')).toEqual([[2]]);
      });
    } finally {
      await pool.close();
    }
    expect(
      await admin.rows(`SELECT DISTINCT engine FROM information_schema.tables WHERE table_schema = '${database}'`),
    ).toEqual([['InnoDB']]);
    expect(await migrationScript(other())).toEqual([]);
  });

  test('two at once are one after the other', async () => {
    const both = await Promise.all([migrate(other()), migrate(other())]);
    expect(both.map(({ length }) => length).toSorted((a, b) => a - b)).toEqual([0, 1 + files.length]);
  });

  test('one that was broken off after a statement of any kind is finished by the next', async () => {
    const lastOfKind = new Map(files.map(({ sql }, index) => [kindOf(sql.join('')), index]));
    expect([...lastOfKind.keys()]).toEqual(expect.arrayContaining(['CREATE', 'INSERT', 'MODIFY', 'ADD COLUMN']));
    const journal = '__drizzle_migrations';
    for (const broken of lastOfKind.values()) {
      await asBefore(async (sql) => {
        await sql.run(`CREATE TABLE ${journal} (id SERIAL PRIMARY KEY, hash TEXT NOT NULL, created_at BIGINT)`);
        for (const { hash, folderMillis } of files.slice(0, broken)) {
          await sql.run(`INSERT INTO ${journal} (hash, created_at) VALUES ('${hash}', ${folderMillis})`);
        }
      }, broken + 1);
      expect(await migrate(other())).toHaveLength(files.length - broken);
      const { database } = addressOf(other());
      expect(await admin.rows(`SELECT COUNT(*), MAX(LENGTH(id)) FROM \`${database}\`.deployment`)).toEqual([[1, 16]]);
      expect(await migrate(other())).toEqual([]);
      await dropOther();
    }
  }, 120_000);

  describe('of a table with messages', () => {
    test('names the rows whose due time is outside of the range, and changes nothing until they are corrected', async () => {
      await asBefore(async (sql) => {
        await sql.run(message(1, 1_800_000_000, 'seconds'));
        await sql.run(message(2, 253_370_764_800_000, 'far'));
        await sql.run(message(3, 1_800_000_000_000, 'fine'));
      });
      for (const dryRun of [true, false]) {
        await expect(migrate(other(), { dryRun })).rejects.toMatchObject({
          name: 'UserError',
          message: expect.stringMatching(
            /has 2 rows whose due_at .* 1 \(due_at 1800000000\), 2 \(due_at 253370764800000\)\. Nothing was changed/,
          ),
        });
      }
      const columns = async () => (await admin.rows(`SHOW COLUMNS FROM ${table()} LIKE 'plan_number'`)).length;
      expect(await columns()).toBe(0);
      await admin.run(`UPDATE ${table()} SET due_at=1800000000000, version=version+1 WHERE id=1`);
      await admin.run(`DELETE FROM ${table()} WHERE id=2`);
      await migrate(other());
      expect(await columns()).toBe(1);
      expect(await admin.rows(`SELECT id, plan_number, first_attempt_at FROM ${table()} ORDER BY id`)).toEqual([
        [1, 1, null],
        [3, 1, null],
      ]);
    });

    test('brings suspension without copying the table, and its messages stay as they are', async () => {
      const ways: Readonly<Record<number, string>> = {
        27: 'ALGORITHM=INSTANT',
        28: 'ALGORITHM=INSTANT',
        29: 'ALGORITHM=INPLACE, LOCK=NONE',
        30: 'ALGORITHM=INSTANT',
      };
      await asBefore(async (sql) => {
        await sql.run(message(1, 1_800_000_000_000, 'waits'));
        for (const [index, way] of Object.entries(ways)) {
          const statement = files[Number(index)]?.sql.join('').trim() ?? '';
          expect(statement).toMatch(new RegExp(`, ${way};$`));
          await sql.run(statement);
        }
        await sql.run("UPDATE scheduled_messages SET state='suspended' WHERE id=1");
        const rows = await sql.rows('SELECT state, open, suspended, wake_at FROM scheduled_messages');
        expect(rows).toEqual([['suspended', null, 1, 1_800_000_000_000]]);
      }, 27);
    });

    test('brings lateness without copying the table, and its messages are never late', async () => {
      const first = indexOf('ADD COLUMN `send_within`');
      const ways: readonly (readonly [index: number, way: string])[] = [
        [first, 'ALGORITHM=INSTANT'],
        [indexOf("'suspended','late'"), 'ALGORITHM=INSTANT'],
        [indexOf('ADD COLUMN `late_kind`'), 'ALGORITHM=INSTANT'],
        [indexOf('ADD KEY `late_by_due`'), 'ALGORITHM=INPLACE, LOCK=NONE'],
        [indexOf("'unusable','late'"), 'ALGORITHM=INSTANT'],
      ];
      await asBefore(async (sql) => {
        await sql.run(message(1, 1_800_000_000_000, 'waits'));
        for (const [index, way] of ways) {
          const statement = files[index]?.sql.join('').trim() ?? '';
          expect(statement).toMatch(new RegExp(`,\\s+${way};$`));
          await sql.run(statement);
        }
        const untouched = await sql.rows(
          'SELECT send_within, on_late, late_from, late, late_kind FROM scheduled_messages',
        );
        expect(untouched).toEqual([[null, null, null, 0, null]]);
        await sql.run("UPDATE scheduled_messages SET state='late' WHERE id=1");
        // Nothing that a release before this reads has it.
        const others = await sql.rows('SELECT open, needs_person, suspended FROM scheduled_messages');
        expect(others).toEqual([[null, null, null]]);
        const rows = await sql.rows(
          "SELECT id FROM scheduled_messages FORCE INDEX (late_by_due) WHERE late_kind=1 AND channel='x' AND account='a'",
        );
        expect(rows).toEqual([[1]]);
      }, first);
    });

    test('waits for a transaction that holds the table in small steps, so that nobody waits long behind it', async () => {
      await asBefore((sql) => sql.run(message(1, 1_800_000_000_000, 'k')));
      const busy: string[] = [];
      let migrated: Promise<unknown> = Promise.resolve();
      await admin.transaction(async (sql) => {
        await sql.rows(`SELECT * FROM ${table()}`);
        migrated = migrate(other(), { onBusy: (text) => busy.push(text) });
        await until('the migration has stepped back', () => busy.length > 0);
        // Somebody else, who would wait for as long as the migration does.
        expect(await admin.rows(`SELECT COUNT(*) FROM ${table()}`)).toEqual([[1]]);
      });
      await migrated;
      expect(busy[0]).toMatch(
        /^waiting for transactions that hold the table \(1 of 60\): ALTER TABLE `scheduled_messages`/,
      );
      expect(await migrate(other())).toEqual([]);
    }, 60_000);

    test('a part of it that somebody else has made is named', async () => {
      await asBefore((sql) => sql.run('ALTER TABLE scheduled_messages ADD COLUMN plan_number INT'));
      await expect(migrate(other())).rejects.toMatchObject({
        name: 'UserError',
        message: expect.stringMatching(/lacks first_attempt_at, .*due_at_between_2000_and_2100\. Complete it/),
      });
    });
  });

  test('keys that differ only in spaces at the end are two', async () => {
    await admin.run(
      "INSERT INTO scheduled_messages (account, channel, payload, due_at, dedupe_key) VALUES ('a', 'x', '{}', 1800000000000, 'k'), ('a', 'x', '{}', 1800000000000, 'k ')",
    );
    await admin.run(
      "INSERT INTO pauses (channel, account, paused_at) VALUES ('x', '', 1), ('x', ' ', 1), ('x ', '', 1)",
    );
    expect(await admin.rows("SELECT COUNT(*) FROM scheduled_messages WHERE account='a' AND dedupe_key='k '")).toEqual([
      [1],
    ]);
    await admin.run('DELETE FROM scheduled_messages');
    await admin.run('DELETE FROM pauses');
  });

  test.each([0, 1_800_000_000, 946_684_799_999, 4_102_444_800_001])(
    'the table refuses %d as due time, by plain SQL too',
    async (dueAt) => {
      const insert = admin.run(
        `INSERT INTO scheduled_messages (account, channel, payload, due_at) VALUES ('a', 'x', '{}', ${dueAt})`,
      );
      await expect(insert).rejects.toThrow(/due_at_between_2000_and_2100/);
    },
  );

  test.each([
    ['send_within', '-1'],
    ['send_within', '4294967296'],
    ['on_late', "'drop'"],
    ['on_late', "'suspended'"],
  ])('the table refuses %s %s, by plain SQL too', async (column, value) => {
    const insert = admin.run(
      `INSERT INTO scheduled_messages (account, channel, payload, due_at, ${column}) VALUES ('a', 'x', '{}', 946684800005, ${value})`,
    );
    await expect(insert).rejects.toThrow(new RegExp(`column '${column}'`));
  });

  test('the table has defaults for everything but account, channel, payload and due time', async () => {
    await admin.run(
      `INSERT INTO scheduled_messages (account, channel, payload, due_at) VALUES ('a', 'x', '{}', 946684800005)`,
    );
    const rows = await admin.rows('SELECT state, version, wake_at, open, shard FROM scheduled_messages');
    expect(rows).toEqual([['scheduled', 1, 946684800005, 1, 67]]);
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
      await app.run('UPDATE scheduled_messages SET due_at=946684800001, version=version+1 WHERE id=0');
      await app.run(
        "INSERT INTO scheduled_messages (account, channel, payload, due_at) VALUES ('a', 'x', '{}', 946684800005)",
      );
    });
  });

  test('workers neither add nor delete messages or accounts: only a secret that is there may they replace', async () => {
    await as('WORKER_DATABASE_URL', async (worker) => {
      for (const sql of [
        "INSERT INTO scheduled_messages (account, channel, payload, due_at) VALUES ('a', 'x', '{}', 946684800005)",
        'DELETE FROM scheduled_messages',
        'DELETE FROM delivery_attempts',
        'DELETE FROM accounts',
        "INSERT INTO accounts (account, channel, secret) VALUES ('a', 'x', '1')",
        "UPDATE accounts SET account='b'",
        'DELETE FROM account_states',
        'DELETE FROM account_refreshes',
      ]) {
        await expect(worker.run(sql)).rejects.toMatchObject(denied);
      }
      await worker.run("UPDATE accounts SET secret='1' WHERE account='nobody'");
      await worker.run('DELETE FROM account_limits');
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
