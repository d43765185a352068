import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise';
import { Unavailable, UserError } from '../../../topology/core/errors';
import { addressOf } from '../sql/address';
import { errnoOf, instructionOf, isAccessDenied } from '../sql/failures';
import { pendingMigrations } from './migrate';
import { missingOf, rightsText } from './privileges';
import { type DatabaseRole, rightsOf } from './users';

const CONNECT_TIMEOUT_MS = 5_000;
const NO_SUCH_TABLE = 1146;

/**
 * What a user whom others have made lacks of the rights of its roles: SHOW GRANTS says what it has, with the rights of the
 * roles of MySQL that are active when it connects.
 * @returns one line for each fault, with the statement that mends it
 * @throws Unavailable when the server does not answer
 */
export function rightsFaults(url: string, roles: readonly DatabaseRole[]): Promise<string[]> {
  return asUser(url, async (connection, database) => {
    const [[who]] = await connection.query<RowDataPacket[]>('SELECT CURRENT_USER() AS account');
    const account = String(who?.['account']);
    const [lines] = await connection.query<RowDataPacket[]>('SHOW GRANTS');
    const given = lines.map((line) => String(Object.values(line)[0]));
    const needed = [...new Set(roles.flatMap((role) => rightsOf(role, database)))];
    const at = account.lastIndexOf('@');
    const quoted = `'${account.slice(0, at)}'@'${account.slice(at + 1)}'`;
    return rightsText(missingOf(needed, given)).map(
      (right) => `MySQL user ${account} lacks ${right.replaceAll('`', '')}: GRANT ${right} TO ${quoted};`,
    );
  });
}

/**
 * The migrations that the schema lacks, read with no more rights than a worker has.
 * @returns one line when there are some, with what to do
 * @throws Unavailable when the server does not answer
 */
export function schemaFaults(url: string): Promise<string[]> {
  return asUser(url, async (connection, database) => {
    const missing = await missingFrom(connection, database);
    if (missing.length === 0) return [];
    return [
      `The schema of ${database} lacks ${missing.join(', ')}: let somebody who may alter it run \`downspout migrate\`, or what \`downspout migrate --dry-run\` prints.`,
    ];
  });
}

/**
 * The names of the migrations that the schema lacks; none for a user who may not read their journal.
 * @throws Unavailable, UserError
 */
export async function missingMigrations(url: string): Promise<string[]> {
  const { database } = addressOf(url);
  let connection: Connection | undefined;
  try {
    connection = await createConnection({ ...addressOf(url), connectTimeout: CONNECT_TIMEOUT_MS });
    return await missingFrom(connection, database);
  } catch (error) {
    throw instructionOf(error);
  } finally {
    connection?.destroy();
  }
}

async function missingFrom(connection: Connection, database: string): Promise<string[]> {
  try {
    return await pendingMigrations(connection, database);
  } catch (error) {
    if (errnoOf(error) === NO_SUCH_TABLE) return ['all of it'];
    // Who may not read the journal is told so by `rightsFaults`.
    if (isAccessDenied(error)) return [];
    throw error;
  }
}

/** Runs `work` as the user of the URL; that it is not let in is a fault too. */
async function asUser(
  url: string,
  work: (connection: Connection, database: string) => Promise<string[]>,
): Promise<string[]> {
  const { user, database } = addressOf(url);
  let connection: Connection | undefined;
  try {
    connection = await createConnection({ ...addressOf(url), connectTimeout: CONNECT_TIMEOUT_MS });
    return await work(connection, database);
  } catch (error) {
    const instruction = instructionOf(error);
    if (instruction instanceof UserError) return [`MySQL user ${user}: ${instruction.message}`];
    if (instruction instanceof Unavailable) throw instruction;
    throw error;
  } finally {
    connection?.destroy();
  }
}
