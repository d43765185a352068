import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readMigrationFiles } from 'drizzle-orm/migrator';
import { drizzle } from 'drizzle-orm/mysql2';
import { migrate as applyMigrations } from 'drizzle-orm/mysql2/migrator';
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise';
import { Unavailable } from '../../../topology/core/errors';
import { instructionOf } from '../sql/failures';
import { addressOf } from '../sql/pool';

export interface MigrateOptions {
  /** Changes nothing. */
  readonly dryRun?: boolean;
  /** Called with each statement before it runs, or would run. */
  readonly report?: (sql: string) => void;
}

/** How long to wait for another migration that is under way. */
const LOCK_TIMEOUT_SECONDS = 60;
const CONNECT_TIMEOUT_MS = 5_000;

/**
 * Brings the schema up to date, and makes the database first if there is none. Two migrations at once run one after the
 * other. The next run finishes one that was interrupted: every file is one statement, which does nothing when it is done.
 *
 * @param url of a user who may create databases and tables
 * @returns the statements that ran, or would run; none when the schema is up to date
 * @throws Unavailable, UserError
 */
export async function migrate(url: string, options: MigrateOptions = {}): Promise<string[]> {
  const { database, ...server } = addressOf(url);
  let connection: Connection | undefined;
  try {
    connection = await createConnection({ ...server, connectTimeout: CONNECT_TIMEOUT_MS });
    return await underLock(connection, database, options);
  } catch (error) {
    throw instructionOf(error);
  } finally {
    connection?.destroy();
  }
}

async function underLock(connection: Connection, database: string, options: MigrateOptions): Promise<string[]> {
  const [[lock]] = await connection.query<RowDataPacket[]>('SELECT GET_LOCK(?, ?) AS held', [
    `downspout.migrate.${database}`.slice(0, 64),
    LOCK_TIMEOUT_SECONDS,
  ]);
  if (lock?.['held'] !== 1) throw new Unavailable(`another migration of ${database} is still running`);
  const exists = await has(connection, 'SELECT 1 FROM information_schema.schemata WHERE schema_name = ?', [database]);
  const create = `CREATE DATABASE IF NOT EXISTS \`${database}\` DEFAULT CHARACTER SET utf8mb4`;
  const statements = [
    ...(exists ? [] : [create]),
    ...(await pending(connection, database)).flatMap(({ sql }) => sql.map((statement) => statement.trim())),
  ];
  for (const statement of statements) options.report?.(statement);
  if (options.dryRun === true || statements.length === 0) return statements;
  await connection.query(create);
  await connection.query(`USE \`${database}\``);
  await applyMigrations(drizzle(connection), { migrationsFolder: migrationsFolder() });
  return statements;
}

/** The migrations that have not been applied yet. */
async function pending(connection: Connection, database: string): Promise<ReturnType<typeof readMigrationFiles>> {
  const all = readMigrationFiles({ migrationsFolder: migrationsFolder() });
  const journal = await has(
    connection,
    "SELECT 1 FROM information_schema.tables WHERE table_schema = ? AND table_name = '__drizzle_migrations'",
    [database],
  );
  if (!journal) return all;
  const [[last]] = await connection.query<RowDataPacket[]>(
    `SELECT MAX(created_at) AS at FROM \`${database}\`.__drizzle_migrations`,
  );
  return all.filter(({ folderMillis }) => folderMillis > Number(last?.['at'] ?? 0));
}

async function has(connection: Connection, sql: string, values: readonly string[]): Promise<boolean> {
  const [rows] = await connection.query<RowDataPacket[]>(sql, [...values]);
  return rows.length > 0;
}

/** Beside this file in the sources; the compiled file stands three folders deeper than the package. */
function migrationsFolder(): string {
  const beside = join(__dirname, 'migrations');
  return existsSync(beside)
    ? beside
    : join(__dirname, '..', '..', '..', '..', 'connectors', 'mysql', 'schema', 'migrations');
}
