import type { Connection as CallbackConnection, Pool as CallbackPool } from 'mysql2';
import type { Connection, Pool as DriverPool, PoolConnection, ResultSetHeader } from 'mysql2/promise';
import { reasonOf, Unavailable, UserError } from '../../../topology/core/errors';
import { ConnectionInUse } from './connection-in-use';
import { instructionOf, isDataError, isDeadlock, isLockWaitTimeout, isTooLarge, TooMuchAtOnce } from './failures';
import type { Pool } from './pool';
import { inTransaction, type Sql } from './sql';

/** What a client may work on: a connection, in a transaction or not, or a pool; with callbacks or with promises. */
export type CallerConnection = Connection | PoolConnection | DriverPool | CallbackConnection | CallbackPool;

/** Runs work so that all of it happens or none of it. Throws Unavailable or UserError. */
export interface Executor {
  atomically<T>(work: (sql: Sql) => Promise<T>): Promise<T>;
}

export class PoolExecutor implements Executor {
  constructor(private readonly pool: Pool) {}

  async atomically<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    return inWordsOfClients(() => this.pool.transaction(work));
  }
}

/** Flags of the server's status, which comes with every answer. */
const IN_TRANSACTION = 1;
const AUTOCOMMIT = 2;
const SAVEPOINT = 'downspout_client';

/**
 * Works on the caller's connection or pool. If the connection has an open transaction, the work is part of it and the caller
 * commits; otherwise the work is a transaction of its own. The settings of the connection are neither changed nor relied on; one
 * whose texts cannot be written safely, or lose characters, is refused.
 *
 * 1. A borrowed connection is never left in our transaction: if it cannot be rolled back, the connection is destroyed.
 * 2. In the caller's transaction all of the work happens or none of it, whatever the caller does after an error.
 */
export class CallerExecutor implements Executor {
  private readonly target: Connection | DriverPool;

  constructor(target: CallerConnection) {
    this.target =
      'promise' in target && typeof target.promise === 'function' ? target.promise() : (target as Connection);
  }

  atomically<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    return inWordsOfClients(async () => {
      if (!('getConnection' in this.target)) return this.on(this.target, () => undefined, work);
      const connection = await this.target.getConnection();
      return this.on(connection, () => connection.release(), work);
    });
  }

  private async on<T>(connection: Connection, release: () => void, work: (sql: Sql) => Promise<T>): Promise<T> {
    const sql = new ConnectionInUse(connection, { query: { values: [], namedPlaceholders: false } });
    try {
      return await begin(sql, work);
    } finally {
      if (sql.lost) connection.destroy();
      else release();
    }
  }
}

async function begin<T>(sql: ConnectionInUse, work: (sql: Sql) => Promise<T>): Promise<T> {
  const [[mode, isolation, ...charsets] = ['', '']] = await sql.rows<[string, string, ...string[]]>(
    'SELECT @@SESSION.sql_mode, @@SESSION.transaction_isolation, ' +
      // Without one for results they are sent as they are.
      "@@SESSION.character_set_client, @@SESSION.character_set_connection, COALESCE(@@SESSION.character_set_results, 'utf8mb4')",
  );
  if (mode.includes('NO_BACKSLASH_ESCAPES')) {
    throw new UserError(
      'The connection has sql_mode NO_BACKSLASH_ESCAPES, for which mysql2 cannot quote texts safely.',
    );
  }
  const narrow = charsets.find((charset) => charset !== 'utf8mb4');
  if (narrow !== undefined) {
    throw new UserError(
      `The connection has the character set ${narrow}, which does not have every character; make it with charset 'utf8mb4'.`,
    );
  }
  const { serverStatus } = (await sql.run('DO 0')) as ResultSetHeader & { serverStatus: number };
  const isCallers = (serverStatus & IN_TRANSACTION) !== 0 || (serverStatus & AUTOCOMMIT) === 0;
  if (isCallers) {
    sql.locksGaps = !isolation.startsWith('READ-');
    return withinTransaction(sql, work);
  }
  return ownTransaction(sql, work);
}

/**
 * A transaction that locks no gaps and reads what is committed, whatever the session's are. `SET TRANSACTION` is for the next one
 * alone: its end, and a ROLLBACK where it did not begin, leave the session as it was.
 */
async function ownTransaction<T>(sql: Sql, work: (sql: Sql) => Promise<T>): Promise<T> {
  await sql.run('SET TRANSACTION ISOLATION LEVEL READ COMMITTED');
  return inTransaction(sql, work);
}

/** Runs `work` as a part of the open transaction; what it did is undone if it fails. */
async function withinTransaction<T>(sql: Sql, work: (sql: Sql) => Promise<T>): Promise<T> {
  await sql.run(`SAVEPOINT ${SAVEPOINT}`);
  try {
    const answer = await work(sql);
    await sql.run(`RELEASE SAVEPOINT ${SAVEPOINT}`);
    return answer;
  } catch (error) {
    // After a deadlock there is neither transaction nor savepoint any more.
    await sql.run(`ROLLBACK TO SAVEPOINT ${SAVEPOINT}`).catch(() => undefined);
    throw error;
  }
}

async function inWordsOfClients<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (isLockWaitTimeout(error)) throw new Unavailable('another transaction holds the message; try again');
    if (isDeadlock(error)) throw new Unavailable('the transaction was rolled back because of a deadlock; try it again');
    // With its cause, so that whoever writes many finds those that are refused.
    if (isDataError(error) && isTooLarge(error))
      throw new TooMuchAtOnce(`MySQL refuses so much at once: ${reasonOf((error as Error).cause)}`, { cause: error });
    if (isDataError(error))
      throw new UserError(`MySQL refuses a value: ${reasonOf((error as Error).cause)}`, { cause: error });
    throw instructionOf(error);
  }
}
