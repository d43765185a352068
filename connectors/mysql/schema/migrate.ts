import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readMigrationFiles } from 'drizzle-orm/migrator';
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise';
import { Unavailable, UserError } from '../../../topology/core/errors';
import { addressOf } from '../sql/address';
import { instructionOf, isLockWaitTimeout } from '../sql/failures';

export interface MigrateOptions {
  /** Changes nothing. */
  readonly dryRun?: boolean;
  /** Called with each statement before it runs, or would run. */
  readonly report?: (sql: string) => void;
  /** Called when another transaction holds a table, so that the statement has to wait. */
  readonly onBusy?: (text: string) => void;
}

export type Migration = ReturnType<typeof readMigrationFiles>[number];

/** How long to wait for another migration that is under way. */
const LOCK_TIMEOUT_SECONDS = 60;
const CONNECT_TIMEOUT_MS = 5_000;
/**
 * A statement that waits for a table makes all others wait behind it, so it waits briefly, steps back, and tries again: a
 * dump that holds the table for a minute stops nobody.
 */
const TABLE_WAIT_SECONDS = 2;
const STEP_BACK_SECONDS = 3;
const MAX_TRIES = 60;
export const JOURNAL = '__drizzle_migrations';
const MAKE_JOURNAL = `CREATE TABLE IF NOT EXISTS ${JOURNAL} (id SERIAL PRIMARY KEY, hash TEXT NOT NULL, created_at BIGINT)`;
const WRITE_DOWN = `INSERT INTO ${JOURNAL} (hash, created_at) VALUES (?, ?)`;
const NAMED_ROWS = 10;
/** A server may give other ones to a new session. */
const SESSION = "SET SESSION autocommit=1, completion_type=0, default_storage_engine='InnoDB'";

/**
 * Brings the schema up to date, and makes the database first if there is none. Two migrations at once run one after the
 * other. The next run finishes one that was interrupted: every file is one statement, and one that has been done already,
 * by an interrupted run or by a tool for large tables, is only written down.
 *
 * @param url of a user who may create databases and tables
 * @returns the statements that ran, or would run; none when the schema is up to date
 * @throws UserError naming rows that the new schema does not allow, or because a newer version made it; then nothing was changed
 * @throws Unavailable
 */
export function migrate(url: string, options: MigrateOptions = {}): Promise<string[]> {
  return underLock(url, (connection, database) => bringUpToDate(connection, database, options));
}

/**
 * What `migrate` would run, for whoever changes schemas by hand: with the rows of the journal, by which workers, verbs and the next
 * `migrate` know what was done. Of what stands there already only the row is left. Its session has the settings of that of `migrate`,
 * so a statement does not wait for a table for as long as somebody holds it, with everybody else behind it: it fails, and so must the script.
 *
 * @returns statements without a semicolon at their end; none when the schema is up to date
 * @throws as migrate
 */
export function migrationScript(url: string): Promise<string[]> {
  return underLock(url, async (connection, database) => {
    const { create, migrations } = await whatIsMissing(connection, database);
    if (migrations.length === 0) return create;
    const session = `${SESSION}, lock_wait_timeout=${TABLE_WAIT_SECONDS}`;
    const script = [session, ...create, useOf(database), MAKE_JOURNAL];
    for (const migration of migrations) {
      const statement = statementOf(migration);
      if (!(await isDone(connection, database, statement))) script.push(statement.replace(/;$/, ''));
      script.push(connection.format(WRITE_DOWN, [migration.hash, migration.folderMillis]));
    }
    return script;
  });
}

/** Runs `work` while no other migration of the database runs. */
async function underLock<T>(url: string, work: (connection: Connection, database: string) => Promise<T>): Promise<T> {
  const { database, ...server } = addressOf(url);
  let connection: Connection | undefined;
  try {
    connection = await createConnection({ ...server, connectTimeout: CONNECT_TIMEOUT_MS });
    await connection.query(SESSION);
    const lockName = `downspout.migrate.${database}`.slice(0, 64);
    const held = await valueOf(connection, 'SELECT GET_LOCK(?, ?)', [lockName, LOCK_TIMEOUT_SECONDS]);
    if (held !== 1) throw new Unavailable(`another migration of ${database} is still running`);
    return await work(connection, database);
  } catch (error) {
    throw instructionOf(error);
  } finally {
    connection?.destroy();
  }
}

/**
 * The names of the migrations that have not been applied yet, for who may read nothing but their journal.
 * @throws the driver's error when it may not be read, or does not exist
 */
export async function pendingMigrations(connection: Connection, database: string): Promise<string[]> {
  const last = Number((await valueOf(connection, `SELECT MAX(created_at) FROM \`${database}\`.${JOURNAL}`)) ?? 0);
  const { entries } = JSON.parse(readFileSync(join(migrationsFolder(), 'meta', '_journal.json'), 'utf8')) as {
    entries: readonly { readonly tag: string; readonly when: number }[];
  };
  return entries.filter(({ when }) => when > last).map(({ tag }) => tag);
}

async function bringUpToDate(connection: Connection, database: string, options: MigrateOptions): Promise<string[]> {
  const { create, migrations } = await whatIsMissing(connection, database);
  const statements = [...create, ...migrations.map(statementOf)];
  for (const statement of statements) options.report?.(statement);
  if (options.dryRun === true || statements.length === 0) return statements;
  for (const statement of create) await connection.query(statement);
  await connection.query(useOf(database));
  await connection.query(`SET SESSION lock_wait_timeout = ${TABLE_WAIT_SECONDS}`);
  await connection.query(MAKE_JOURNAL);
  for (const migration of migrations) await apply(connection, database, migration, options);
  return statements;
}

/** What is to be done: the database, where there is none, and the migrations. @throws UserError as migrate */
async function whatIsMissing(connection: Connection, database: string) {
  const there = await valueOf(connection, 'SELECT 1 FROM information_schema.schemata WHERE schema_name = ?', [
    database,
  ]);
  const migrations = await pending(connection, database);
  if (there !== undefined) await refuseRowsOutOfRange(connection, database, migrations);
  const create = `CREATE DATABASE IF NOT EXISTS \`${database}\` DEFAULT CHARACTER SET utf8mb4`;
  return { create: there === undefined ? [create] : [], migrations };
}

function useOf(database: string): string {
  return `USE \`${database}\``;
}

async function apply(
  connection: Connection,
  database: string,
  migration: Migration,
  { onBusy }: MigrateOptions,
): Promise<void> {
  const statement = statementOf(migration);
  if (!(await isDone(connection, database, statement))) {
    for (let attempt = 1; ; attempt++) {
      try {
        await connection.query(statement);
        break;
      } catch (error) {
        if (!isLockWaitTimeout(error)) throw error;
        const [what = ''] = statement.split('\n');
        if (attempt === MAX_TRIES) {
          throw new Unavailable(`other transactions have held the table for minutes; try again later: ${what}`);
        }
        onBusy?.(`waiting for transactions that hold the table (${attempt} of ${MAX_TRIES}): ${what}`);
        await connection.query(`DO SLEEP(${STEP_BACK_SECONDS})`);
      }
    }
  }
  await connection.query(WRITE_DOWN, [migration.hash, migration.folderMillis]);
}

/**
 * Whether everything that an ALTER adds is there already. Such a statement happens as a whole or not at all, so a part of it
 * was made by somebody else.
 */
async function isDone(connection: Connection, database: string, statement: string): Promise<boolean> {
  const table = /^ALTER TABLE `(\w+)`/.exec(statement)?.[1];
  const added = [...statement.matchAll(/ADD (?:COLUMN|KEY|CONSTRAINT) `(\w+)`/g)].map(([, name]) => name as string);
  if (table === undefined || added.length === 0) return false;
  const [rows] = await connection.query<RowDataPacket[]>(
    `SELECT column_name AS name FROM information_schema.columns WHERE table_schema = ? AND table_name = ?
     UNION SELECT index_name FROM information_schema.statistics WHERE table_schema = ? AND table_name = ?
     UNION SELECT constraint_name FROM information_schema.table_constraints WHERE table_schema = ? AND table_name = ?`,
    [database, table, database, table, database, table],
  );
  const names = new Set(rows.map((row) => String(row['name'])));
  const missing = added.filter((name) => !names.has(name));
  if (missing.length === 0 || missing.length === added.length) return missing.length === 0;
  throw new UserError(
    `${table} has a part of what this migration adds, and lacks ${missing.join(', ')}. Complete it, or take the part away, and run \`downspout migrate\` again.`,
  );
}

/** @throws UserError naming rows whose due time the schema will not allow, before anything is changed */
async function refuseRowsOutOfRange(
  connection: Connection,
  database: string,
  migrations: readonly Migration[],
): Promise<void> {
  const range = migrations.map((one) => /CHECK \((`due_at` BETWEEN \d+ AND \d+)\)/.exec(statementOf(one))?.[1]);
  const [condition] = range.filter((one) => one !== undefined);
  const table = await valueOf(
    connection,
    "SELECT 1 FROM information_schema.tables WHERE table_schema = ? AND table_name = 'scheduled_messages'",
    [database],
  );
  if (condition === undefined || table === undefined) return;
  const [rows] = await connection.query<RowDataPacket[]>(
    `SELECT id, due_at, COUNT(*) OVER () AS count FROM \`${database}\`.scheduled_messages WHERE NOT ${condition} LIMIT ${NAMED_ROWS}`,
  );
  const [first] = rows;
  if (first === undefined) return;
  const named = rows.map((row) => `${String(row['id'])} (due_at ${String(row['due_at'])})`).join(', ');
  throw new UserError(
    `scheduled_messages has ${String(first['count'])} rows whose due_at is not between 2000 and 2100, in epoch milliseconds: ${named}. ` +
      'Nothing was changed. Correct them with UPDATE scheduled_messages SET due_at=…, version=version+1 WHERE id=…, or delete them, and run `downspout migrate` again.',
  );
}

/** The migrations that have not been applied yet. @throws UserError when a newer version has applied others */
async function pending(connection: Connection, database: string): Promise<Migration[]> {
  const all = knownMigrations();
  const journal = await valueOf(
    connection,
    `SELECT 1 FROM information_schema.tables WHERE table_schema = ? AND table_name = '${JOURNAL}'`,
    [database],
  );
  if (journal === undefined) return all;
  const last = Number((await valueOf(connection, `SELECT MAX(created_at) FROM \`${database}\`.${JOURNAL}`)) ?? 0);
  if (last > (all.at(-1)?.folderMillis ?? 0)) {
    throw new UserError(
      `${database} has migrations that this version of Downspout does not know, so a newer one was deployed on it, and a schema is ` +
        'never taken back. Nothing was changed: use that version, or a newer one.',
    );
  }
  return all.filter(({ folderMillis }) => folderMillis > last);
}

/** Those of this version, in their order. */
export function knownMigrations(): Migration[] {
  return readMigrationFiles({ migrationsFolder: migrationsFolder() });
}

export function statementOf({ sql }: Migration): string {
  return sql.join('\n').trim();
}

async function valueOf(connection: Connection, sql: string, values: readonly unknown[] = []): Promise<unknown> {
  const [[row]] = await connection.query<RowDataPacket[]>(sql, [...values]);
  return row === undefined ? undefined : Object.values(row)[0];
}

/** Beside this file in the sources; the compiled file stands three folders deeper than the package. */
function migrationsFolder(): string {
  const beside = join(__dirname, 'migrations');
  return existsSync(beside)
    ? beside
    : join(__dirname, '..', '..', '..', '..', 'connectors', 'mysql', 'schema', 'migrations');
}
