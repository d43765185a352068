import type { Connection as CallbackConnection, Pool as CallbackPool } from 'mysql2';
import type { Connection, Pool as DriverPool, PoolConnection, ResultSetHeader } from 'mysql2/promise';
import { Unavailable, UserError } from '../../../topology/core/errors';
import { instructionOf, isDeadlock, isLockWaitTimeout } from './failures';
import { inTransaction, type Pool, type Sql } from './pool';

/** What a client may work on: a connection, in a transaction or not, or a pool; with callbacks or with promises. */
export type CallerConnection = Connection | PoolConnection | DriverPool | CallbackConnection | CallbackPool;

/** Runs work so that all of it happens or none of it. Throws Unavailable or UserError. */
export interface Executor {
  atomically<T>(work: (sql: Sql) => Promise<T>): Promise<T>;
}

export class PoolExecutor implements Executor {
  constructor(private readonly pool: Pool) {}

  async atomically<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    return lockConflictsAreUnavailable(() => this.pool.transaction(work));
  }
}

/** Flags of the server's status, which comes with every answer. */
const IN_TRANSACTION = 1;
const AUTOCOMMIT = 2;

/**
 * Works on the caller's connection or pool. If the connection has an open transaction, the work is part of it and the caller
 * commits; otherwise the work is a transaction of its own. The settings of the connection are neither changed nor relied on.
 */
export class CallerExecutor implements Executor {
  private readonly target: Connection | DriverPool;

  constructor(target: CallerConnection) {
    this.target =
      'promise' in target && typeof target.promise === 'function' ? target.promise() : (target as Connection);
  }

  atomically<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    return lockConflictsAreUnavailable(async () => {
      if (!('getConnection' in this.target)) return this.on(this.target, work);
      const connection = await this.target.getConnection();
      try {
        return await this.on(connection, work);
      } finally {
        connection.release();
      }
    });
  }

  private async on<T>(connection: Connection, work: (sql: Sql) => Promise<T>): Promise<T> {
    const sql = sqlOf(connection);
    const [[mode]] = [await sql.rows<[string]>('SELECT @@SESSION.sql_mode')];
    if (mode?.[0].includes('NO_BACKSLASH_ESCAPES') === true) {
      throw new UserError(
        'The connection has sql_mode NO_BACKSLASH_ESCAPES, for which mysql2 cannot quote texts safely.',
      );
    }
    const { serverStatus } = (await sql.run('DO 0')) as ResultSetHeader & { serverStatus: number };
    if ((serverStatus & IN_TRANSACTION) !== 0 || (serverStatus & AUTOCOMMIT) === 0) return work(sql);
    return inTransaction(sql, work);
  }
}

function sqlOf(connection: Connection): Sql {
  const query = async <T>(statement: string, rowsAsArray: boolean): Promise<T> => {
    try {
      const [answer] = await connection.query({ sql: statement, rowsAsArray, values: [], namedPlaceholders: false });
      return answer as T;
    } catch (error) {
      throw instructionOf(error);
    }
  };
  return { rows: (statement) => query(statement, true), run: (statement) => query(statement, false) };
}

async function lockConflictsAreUnavailable<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (isLockWaitTimeout(error)) throw new Unavailable('another transaction holds the message; try again');
    if (isDeadlock(error)) throw new Unavailable('the transaction was rolled back because of a deadlock; try it again');
    throw instructionOf(error);
  }
}
