import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise';
import { addressOf } from '../sql/address';
import { instructionOf } from '../sql/failures';
import { JOURNAL, knownMigrations, statementOf } from './migrate';

const CONNECT_TIMEOUT_MS = 5_000;

/** How the database's schema stands to the one of this version. */
export interface SchemaState {
  /** Nothing was ever deployed on it. */
  readonly isEmpty: boolean;
  /** The statements that it has not had. */
  readonly pending: readonly string[];
  /** How many migrations it had that this version does not know. */
  readonly newer: number;
}

/**
 * Compares without changing anything, and without waiting for a migration that is under way.
 * @param url of a user who may read every table
 * @throws Unavailable, UserError
 */
export function readSchemaState(url: string): Promise<SchemaState> {
  return connected(url, async (connection, database) => {
    const known = knownMigrations();
    if (!(await isThere(connection, database, JOURNAL)))
      return { isEmpty: true, pending: known.map(statementOf), newer: 0 };
    const [rows] = await connection.query<RowDataPacket[]>(`SELECT created_at AS at FROM \`${database}\`.${JOURNAL}`);
    const had = rows.map((row) => Number(row['at']));
    const last = Math.max(0, ...had);
    const newest = known.at(-1)?.folderMillis ?? 0;
    return {
      isEmpty: false,
      pending: known.filter(({ folderMillis }) => folderMillis > last).map(statementOf),
      newer: had.filter((at) => at > newest).length,
    };
  });
}

/**
 * Whether the URL's database is there, and has this table.
 * @param url of a user who may read it: to another one it is not there
 * @throws Unavailable, UserError
 */
export function hasTable(url: string, table: string): Promise<boolean> {
  return connected(url, (connection, database) => isThere(connection, database, table));
}

async function isThere(connection: Connection, database: string, table: string): Promise<boolean> {
  const [tables] = await connection.query<RowDataPacket[]>(
    'SELECT 1 FROM information_schema.tables WHERE table_schema = ? AND table_name = ?',
    [database, table],
  );
  return tables.length > 0;
}

/** With no database chosen, because it may not be there. */
async function connected<T>(url: string, work: (connection: Connection, database: string) => Promise<T>): Promise<T> {
  const { database, ...server } = addressOf(url);
  let connection: Connection | undefined;
  try {
    connection = await createConnection({ ...server, connectTimeout: CONNECT_TIMEOUT_MS });
    return await work(connection, database);
  } catch (error) {
    throw instructionOf(error);
  } finally {
    connection?.destroy();
  }
}
