import { createPool, type Pool as DriverPool, type PoolConnection, type ResultSetHeader } from 'mysql2/promise';
import type { Clock } from '../../../topology/core/clock';
import { Unavailable, UserError } from '../../../topology/core/errors';
import { errnoOf, instructionOf, isDeadlock } from './failures';

export interface PoolOptions {
  readonly clock: Clock;
  /** Connections at most. */
  readonly size: number;
  /** Milliseconds a statement may take before the connection is given up: the driver itself waits for ever. */
  readonly timeout?: number;
  /** Seconds to wait for another transaction's lock. */
  readonly lockWait?: number;
}

const CONNECT_TIMEOUT = 5_000;
const STATEMENT_TIMEOUT = 10_000;
/** Seconds that a new connection waits until the server has applied what it had received of a master that died. */
const APPLY_TIMEOUT = 5;
const TRIES = 5;

/** One connection, in use. Rows come as arrays of columns, in the order of the SELECT. */
export interface Sql {
  rows<T extends readonly unknown[]>(sql: string): Promise<T[]>;
  /** Runs a statement that writes. */
  run(sql: string): Promise<ResultSetHeader>;
}

/**
 * A pool of connections that all have the same session settings: READ COMMITTED, UTC, strict, short lock waits.
 *
 * After a failover the survivor may hold transactions that it received and has not applied yet; a conditional UPDATE there
 * could claim what the dead master had claimed. So a new connection waits until they are applied. The survivor is read-only
 * until its first connection makes it take over; one to a server that stays read-only is given up, and the next may be led
 * to the active one.
 *
 * What is thrown: Unavailable when the server is away, UserError when URL or schema are wrong, else the server's error.
 */
export class Pool implements Sql {
  private readonly prepared = new WeakSet<object>();
  private readonly settings: string;

  private constructor(
    private readonly driver: DriverPool,
    private readonly options: PoolOptions,
  ) {
    this.settings =
      "SET SESSION transaction_isolation='READ-COMMITTED', time_zone='+00:00', " +
      "sql_mode='ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO', " +
      // Never give up a range for a scan because a list of ids is long.
      `range_optimizer_max_mem_size=0, innodb_lock_wait_timeout=${options.lockWait ?? 1}`;
  }

  /** Makes no connection yet. @param url `mysql://user:password@host:port/database` */
  static open(url: string, options: PoolOptions): Pool {
    const driver = createPool({ ...addressOf(url), ...driverSettings, connectionLimit: options.size });
    return new Pool(driver, options);
  }

  rows<T extends readonly unknown[]>(sql: string): Promise<T[]> {
    return this.use((session) => session.rows<T>(sql));
  }

  run(sql: string): Promise<ResultSetHeader> {
    return this.retry(() => this.use((session) => session.run(sql)));
  }

  /** Runs `work` between START TRANSACTION and COMMIT; again, after a short while, when it was a deadlock's victim. */
  transaction<T>(work: (session: Sql) => Promise<T>): Promise<T> {
    return this.retry(() => this.use((session) => inTransaction(session, work)));
  }

  /** Runs `work` on one connection, once. */
  async use<T>(work: (session: Sql) => Promise<T>): Promise<T> {
    const connection = await this.acquire();
    let usable = false;
    try {
      const answer = await work(this.sessionOf(connection));
      usable = true;
      return answer;
    } catch (error) {
      usable = errnoOf(error) !== undefined || error instanceof UserError;
      throw error;
    } finally {
      if (usable) connection.release();
      else connection.destroy();
    }
  }

  close(): Promise<void> {
    return this.driver.end();
  }

  private async acquire(): Promise<PoolConnection> {
    let connection: PoolConnection;
    try {
      connection = await this.driver.getConnection();
    } catch (error) {
      throw instructionOf(error);
    }
    if (this.prepared.has(connection.connection)) return connection;
    try {
      await this.prepare(this.sessionOf(connection));
    } catch (error) {
      connection.destroy();
      throw error;
    }
    this.prepared.add(connection.connection);
    return connection;
  }

  private async prepare(session: Sql): Promise<void> {
    await session.run(this.settings);
    if (await isReadOnly(session)) {
      await takeOver(session);
      if (await isReadOnly(session)) throw new Unavailable('MySQL is read-only here: another server is the active one');
    }
    const waits = await session.rows<[number]>(
      `SELECT WAIT_FOR_EXECUTED_GTID_SET(received_transaction_set, ${APPLY_TIMEOUT})
       FROM performance_schema.replication_connection_status WHERE received_transaction_set <> ''`,
    );
    if (waits.some(([timedOut]) => timedOut !== 0)) {
      throw new Unavailable('MySQL is still applying what it received of the other master');
    }
  }

  private sessionOf(connection: PoolConnection): Sql {
    const query = async <T>(sql: string, rowsAsArray: boolean): Promise<T> => {
      const timeout = this.options.timeout ?? STATEMENT_TIMEOUT;
      try {
        const [answer] = await connection.query({ sql, rowsAsArray, timeout });
        return answer as T;
      } catch (error) {
        throw instructionOf(error);
      }
    };
    return { rows: (sql) => query(sql, true), run: (sql) => query(sql, false) };
  }

  private async retry<T>(run: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await run();
      } catch (error) {
        if (attempt === TRIES || !isDeadlock(error)) throw error;
        await this.options.clock.sleep(Math.random() * 10 * 2 ** attempt);
      }
    }
  }
}

async function isReadOnly(session: Sql): Promise<boolean> {
  const [row] = await session.rows<[number]>('SELECT @@GLOBAL.read_only');
  return row?.[0] === 1;
}

/** Makes the server the active one of a pair where it is its turn; see `pair/schema.ts`. */
async function takeOver(session: Sql): Promise<void> {
  try {
    await session.run('CALL downspout_pair.take_over()');
  } catch (error) {
    // Where there is no pair, it is read-only for a reason of somebody else's.
    if (error instanceof Unavailable) throw error;
  }
}

/** Runs `work` between START TRANSACTION and COMMIT. */
export async function inTransaction<T>(session: Sql, work: (session: Sql) => Promise<T>): Promise<T> {
  await session.run('START TRANSACTION');
  try {
    const answer = await work(session);
    await session.run('COMMIT');
    return answer;
  } catch (error) {
    // Without an answer of the server the connection is given up, and the server rolls back by itself.
    if (!(error instanceof Unavailable)) await session.run('ROLLBACK');
    throw error;
  }
}

/** JSON and microseconds stay text, ids are numbers, and no answer is awaited for ever. */
const driverSettings = {
  connectTimeout: CONNECT_TIMEOUT,
  waitForConnections: true,
  charset: 'utf8mb4',
  timezone: 'Z',
  dateStrings: true,
  jsonStrings: true,
  supportBigNumbers: true,
  // Statements come with their values in them: the driver need not search them for placeholders.
  queryFormat: (sql: string) => sql,
} as const;

export interface Address {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

/** @throws UserError, without the URL: it holds a password */
export function addressOf(url: string): Address {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    throw new UserError('The database URL is not a URL. Expected mysql://user:password@host:port/database.');
  }
  const database = decodeURIComponent(parsed.pathname.slice(1));
  if (parsed.protocol !== 'mysql:' || parsed.hostname === '' || !/^[\w-]{1,64}$/.test(database)) {
    throw new UserError('The database URL must look like mysql://user:password@host:port/database.');
  }
  return {
    host: parsed.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: parsed.port === '' ? 3306 : Number(parsed.port),
    user: decodeURIComponent(parsed.username),
    password: decodeURIComponent(parsed.password),
    database,
  };
}
