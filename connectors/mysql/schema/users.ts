import { type Connection, createConnection } from 'mysql2/promise';
import { type Address, addressOf } from '../sql/address';
import { instructionOf } from '../sql/failures';
import { missingOf, rightsText } from './privileges';

/** Who connects to the database, each with a user and a connection URL of its own. */
export const databaseRoles = ['app', 'worker', 'operator', 'cdc', 'admin'] as const;
export type DatabaseRole = (typeof databaseRoles)[number];

/** The connection URLs of the users to make. Each names the same database as the administrator's URL. */
export interface UserUrls {
  readonly app: string;
  readonly worker: string;
  /** Without it the workers' user has the operators' rights too. */
  readonly operator?: string | undefined;
  readonly cdc: string;
}

const CONNECT_TIMEOUT_MS = 5_000;

/**
 * What each user may do. Grants name tables, so the schema must be there: run `migrate` first.
 *
 * - app: the client and the CLI. Schedules, edits, cancels and purges; reads everything that status shows; sets accounts
 *   and pauses. It writes no claim, outcome or ledger: those columns belong to the workers.
 * - worker: spouts and bolts. Changes rows and never adds or deletes one; writes ledger and register. It replaces a secret by the
 *   one that the provider gave for it. It may not write releases: they name programs that supervisors start.
 * - operator: people and supervisors. Deploys, scales, adopts a database, and decides what came of a message.
 * - cdc: Debezium. Reads the one table, and the binlog; the global rights are those its documentation asks for.
 * - admin: `migrate`, which changes the schema, makes the other users and can only give what it has itself.
 */
const rights: Readonly<Record<DatabaseRole, readonly string[]>> = {
  app: [
    'SELECT, DELETE ON {db}.scheduled_messages',
    'INSERT (account, channel, payload, due_at, local_time, zone, dedupe_key, scheduled_hash, send_within, on_late) ON {db}.scheduled_messages',
    'UPDATE (payload, due_at, local_time, zone, retry_at, state, version, attempts, plan_number, plan_version, first_attempt_at, scheduled_hash, send_within, on_late, late_from) ON {db}.scheduled_messages',
    'SELECT, DELETE ON {db}.delivery_attempts',
    'SELECT, DELETE ON {db}.kept_ids',
    'SELECT ON {db}.workers',
    'SELECT, INSERT, UPDATE, DELETE ON {db}.accounts',
    'SELECT, INSERT, UPDATE ON {db}.account_states',
    'SELECT, INSERT, UPDATE, DELETE ON {db}.account_refreshes',
    'SELECT, INSERT, UPDATE, DELETE ON {db}.pauses',
    'SELECT, UPDATE (held_until, gate_until) ON {db}.account_limits',
    'SELECT ON {db}.deployment',
    'SELECT, INSERT, UPDATE ON {db}.verify_mark',
    'SELECT ON {db}.releases',
    'SELECT ON {db}.deploy_lock',
    'SELECT ON {db}.supervisors',
    'SELECT ON {db}.placements',
    'SELECT, INSERT ON {db}.audit',
    'SELECT ON {db}.__drizzle_migrations',
    'SELECT ON performance_schema.replication_group_members',
  ],
  worker: [
    'SELECT, UPDATE ON {db}.scheduled_messages',
    'SELECT, INSERT, UPDATE (id) ON {db}.delivery_attempts',
    'SELECT, INSERT, UPDATE, DELETE ON {db}.kept_ids',
    'SELECT, INSERT, UPDATE, DELETE ON {db}.workers',
    'SELECT, UPDATE (secret) ON {db}.accounts',
    'SELECT, INSERT, UPDATE (generation, state, since, reason) ON {db}.account_states',
    'SELECT, INSERT, UPDATE ON {db}.account_refreshes',
    'SELECT ON {db}.pauses',
    'SELECT, INSERT, UPDATE, DELETE ON {db}.account_limits',
    'SELECT, UPDATE (id, kafka_cluster, namespace) ON {db}.deployment',
    'SELECT ON {db}.releases',
    'SELECT ON {db}.placements',
    'SELECT ON {db}.__drizzle_migrations',
    'SELECT ON performance_schema.replication_group_members',
  ],
  operator: [
    'SELECT, UPDATE ON {db}.scheduled_messages',
    'SELECT, INSERT, UPDATE (id) ON {db}.delivery_attempts',
    'DELETE ON {db}.kept_ids',
    'SELECT ON {db}.workers',
    'SELECT ON {db}.account_states',
    'SELECT, INSERT, UPDATE, DELETE ON {db}.pauses',
    'SELECT, UPDATE (held_until, gate_until) ON {db}.account_limits',
    'SELECT, UPDATE ON {db}.deployment',
    'SELECT, INSERT, UPDATE, DELETE ON {db}.releases',
    'SELECT, INSERT, UPDATE, DELETE ON {db}.deploy_lock',
    'SELECT, INSERT, UPDATE, DELETE ON {db}.supervisors',
    'SELECT, INSERT, UPDATE, DELETE ON {db}.placements',
    'SELECT, INSERT, DELETE ON {db}.audit',
    'SELECT ON {db}.__drizzle_migrations',
    'SELECT ON performance_schema.replication_group_members',
  ],
  cdc: ['SELECT ON {db}.scheduled_messages', 'RELOAD, SHOW DATABASES, REPLICATION SLAVE, REPLICATION CLIENT ON *.*'],
  admin: [
    'CREATE, ALTER, DROP, INDEX, SELECT, INSERT, UPDATE, DELETE ON {db}.*',
    'CREATE USER, RELOAD, SHOW DATABASES, REPLICATION SLAVE, REPLICATION CLIENT ON *.*',
    'SELECT ON performance_schema.replication_group_members',
  ],
};

/** What a role may do in a database: `SELECT, UPDATE (id) ON `db`.table`. */
export function rightsOf(role: DatabaseRole, database: string): string[] {
  return rights[role].map((right) => right.replaceAll('{db}', `\`${database}\``));
}

/** The statements that give a user the rights of roles, without the user's password. */
export function grantsOf(role: DatabaseRole, user: string, database: string): string[] {
  const option = role === 'admin' ? ' WITH GRANT OPTION' : '';
  return rightsOf(role, database).map((right) => `GRANT ${right} TO ${accountOf(user)}${option}`);
}

/** `'downspout'@'%'` */
export function accountOf(user: string): string {
  return `'${user.replace(/['\\]/g, '\\$&')}'@'%'`;
}

/**
 * Makes the users. A user who exists gets the password of the URL, and the rights again. The statements go to the
 * binlog, because the other servers of a group are read-only and get their users from the primary.
 *
 * @param adminUrl of a user who may create users and grant
 * @throws Unavailable, UserError
 */
export async function createUsers(adminUrl: string, urls: UserUrls): Promise<void> {
  const { database, ...server } = addressOf(adminUrl);
  let connection: Connection | undefined;
  try {
    connection = await createConnection({ ...server, connectTimeout: CONNECT_TIMEOUT_MS });
    // First, because what is taken from a table takes it from single columns too.
    if (urls.operator !== undefined) await takeBack(connection, addressOf(urls.worker).user, database);
    for (const [role, url] of [
      ['app', urls.app],
      ['worker', urls.worker],
      ['operator', urls.operator ?? urls.worker],
      ['cdc', urls.cdc],
    ] as const) {
      await createUser(connection, addressOf(url), grantsOf(role, addressOf(url).user, database));
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
  statements: readonly string[],
): Promise<void> {
  await connection.query("CREATE USER IF NOT EXISTS ?@'%' IDENTIFIED BY ?", [user, password]);
  await connection.query("ALTER USER ?@'%' IDENTIFIED BY ?", [user, password]);
  for (const statement of statements) await connection.query(statement);
}

/** Takes the operators' rights from the workers' user, who had them before there were operators, if there is one. */
async function takeBack(connection: Connection, worker: string, database: string): Promise<void> {
  const own = rightsOf('worker', database).map((right) => `GRANT ${right} TO ${accountOf(worker)}`);
  const others = missingOf(rightsOf('operator', database), own).filter(({ columns }) => columns.length === 0);
  for (const right of rightsText(others)) {
    await connection.query(`REVOKE IF EXISTS ${right} FROM ${accountOf(worker)} IGNORE UNKNOWN USER`);
  }
}
