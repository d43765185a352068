import { type Connection, createConnection } from 'mysql2/promise';
import { type Address, addressOf } from '../sql/address';
import { instructionOf } from '../sql/failures';

/** The connection URLs of the users to make. Each names the same database as the administrator's URL. */
export interface UserUrls {
  readonly app: string;
  readonly worker: string;
  readonly cdc: string;
}

const CONNECT_TIMEOUT_MS = 5_000;

/**
 * What each user may do. Grants name tables, so the schema must be there: run `migrate` first.
 *
 * - app: the client and the CLI. Schedules, edits, cancels and purges; reads everything that status shows; sets accounts
 *   and pauses. It writes no claim, outcome or ledger: those columns belong to the workers.
 * - worker: spouts and bolts. Changes rows and never adds or deletes one; writes ledger and register. Adopts a database,
 *   deploys and supervises.
 * - cdc: Debezium. Reads the one table, and the binlog; the global rights are those its documentation asks for.
 */
const grants: Readonly<Record<keyof UserUrls, readonly string[]>> = {
  app: [
    'SELECT, DELETE ON {db}.scheduled_messages',
    'INSERT (account, channel, payload, due_at, local_time, zone, dedupe_key, scheduled_hash) ON {db}.scheduled_messages',
    'UPDATE (payload, due_at, local_time, zone, retry_at, state, version, attempts, plan_number, plan_version, first_attempt_at, scheduled_hash) ON {db}.scheduled_messages',
    'SELECT, DELETE ON {db}.delivery_attempts',
    'SELECT ON {db}.workers',
    'SELECT, INSERT, UPDATE, DELETE ON {db}.accounts',
    'SELECT, INSERT, UPDATE, DELETE ON {db}.pauses',
    'SELECT ON {db}.deployment',
    'SELECT, INSERT, UPDATE ON {db}.verify_mark',
    'SELECT ON {db}.releases',
    'SELECT ON {db}.deploy_lock',
    'SELECT ON {db}.supervisors',
    'SELECT ON {db}.placements',
    'SELECT, INSERT ON {db}.audit',
    'SELECT ON performance_schema.replication_connection_status',
    'EXECUTE ON downspout_pair.*',
  ],
  worker: [
    'SELECT, UPDATE ON {db}.scheduled_messages',
    'SELECT, INSERT, UPDATE (id) ON {db}.delivery_attempts',
    'SELECT, INSERT, UPDATE, DELETE ON {db}.workers',
    'SELECT ON {db}.accounts',
    'SELECT ON {db}.pauses',
    'SELECT, UPDATE ON {db}.deployment',
    'SELECT, INSERT, UPDATE, DELETE ON {db}.releases',
    'SELECT, INSERT, UPDATE, DELETE ON {db}.deploy_lock',
    'SELECT, INSERT, UPDATE, DELETE ON {db}.supervisors',
    'SELECT, INSERT, UPDATE, DELETE ON {db}.placements',
    'SELECT, INSERT ON {db}.audit',
    'SELECT ON performance_schema.replication_connection_status',
    'SELECT ON performance_schema.replication_group_members',
    'EXECUTE ON downspout_pair.*',
  ],
  cdc: ['SELECT ON {db}.scheduled_messages', 'RELOAD, SHOW DATABASES, REPLICATION SLAVE, REPLICATION CLIENT ON *.*'],
};

/**
 * Makes the three users. A user who exists gets the password of the URL, and the rights again. The statements go to the
 * binlog, because a passive master is read-only and gets its users from the active one.
 *
 * @param adminUrl of a user who may create users and grant
 * @throws Unavailable, UserError
 */
export async function createUsers(adminUrl: string, urls: UserUrls): Promise<void> {
  const { database, ...server } = addressOf(adminUrl);
  let connection: Connection | undefined;
  try {
    connection = await createConnection({ ...server, connectTimeout: CONNECT_TIMEOUT_MS });
    for (const role of ['app', 'worker', 'cdc'] as const) {
      await createUser(connection, addressOf(urls[role]), grants[role], database);
    }
  } catch (error) {
    throw instructionOf(error);
  } finally {
    connection?.destroy();
  }
}

async function createUser(
  connection: Connection,
  { user, password }: Address,
  rights: readonly string[],
  database: string,
): Promise<void> {
  await connection.query("CREATE USER IF NOT EXISTS ?@'%' IDENTIFIED BY ?", [user, password]);
  await connection.query("ALTER USER ?@'%' IDENTIFIED BY ?", [user, password]);
  for (const right of rights) {
    await connection.query(`GRANT ${right.replaceAll('{db}', `\`${database}\``)} TO ?@'%'`, [user]);
  }
}
