import { createPool, type Pool as DriverPool, type PoolConnection, type ResultSetHeader } from 'mysql2/promise';
import type { Clock } from '../../../topology/core/clock';
import { Unavailable, UserError } from '../../../topology/core/errors';
import { errnoOf, instructionOf, isDeadlock } from './failures';

export interface PoolOptions {
  readonly clock: Clock;
  /** Connections at most. */
  readonly size: number;
  /** A connection whose statement takes longer is destroyed, because the driver itself would wait for ever. */
  readonly timeoutMs?: number;
  /** How long a statement waits for a row that another transaction holds. */
  readonly lockWaitSeconds?: number;
}

const CONNECT_TIMEOUT_MS = 5_000;
const STATEMENT_TIMEOUT_MS = 10_000;
/** A new connection waits this long until the server has applied what it had received of a master that died. */
const APPLY_TIMEOUT_SECONDS = 5;
const MAX_TRIES = 5;

/** One connection in use. A row is an array of columns in the order of the SELECT. */
export interface Sql {
  rows<T extends readonly unknown[]>(statement: string): Promise<T[]>;
  /** Runs a statement that writes. */
  run(statement: string): Promise<ResultSetHeader>;
}

/**
 * A pool of connections that all have the same session settings: READ COMMITTED, UTC, strict, short lock waits.
 *
 * After a failover the survivor may have received transactions that it has not applied yet; a conditional UPDATE there
 * could claim a row that the dead master had given to somebody else. So a new connection waits until they are applied. The
 * survivor is read-only until its first connection makes it take over. A connection to a server that stays read-only is
 * destroyed; HAProxy may lead the next one to the active server.
 *
 * Throws Unavailable when the server is away, UserError when the URL or the schema is wrong, otherwise the server's error.
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
      `range_optimizer_max_mem_size=0, innodb_lock_wait_timeout=${options.lockWaitSeconds ?? 1}`;
  }

  /** Makes no connection yet. @param url `mysql://user:password@host:port/database` */
  static open(url: string, options: PoolOptions): Pool {
    const driver = createPool({ ...addressOf(url), ...driverSettings, connectionLimit: options.size });
    return new Pool(driver, options);
  }

  rows<T extends readonly unknown[]>(statement: string): Promise<T[]> {
    return this.use((sql) => sql.rows<T>(statement));
  }

  run(statement: string): Promise<ResultSetHeader> {
    return this.retry(() => this.use((sql) => sql.run(statement)));
  }

  /** Runs `work` between START TRANSACTION and COMMIT. After a deadlock it waits a short while and runs `work` again. */
  transaction<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    return this.retry(() => this.use((sql) => inTransaction(sql, work)));
  }

  /** Runs `work` on one connection, once. */
  async use<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    const connection = await this.acquire();
    let usable = false;
    try {
      const answer = await work(this.sqlOf(connection));
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
      await this.prepare(this.sqlOf(connection));
    } catch (error) {
      connection.destroy();
      throw error;
    }
    this.prepared.add(connection.connection);
    return connection;
  }

  private async prepare(sql: Sql): Promise<void> {
    await sql.run(this.settings);
    if (await isReadOnly(sql)) {
      await takeOver(sql);
      if (await isReadOnly(sql)) throw new Unavailable('MySQL is read-only here: another server is the active one');
    }
    const waits = await sql.rows<[number]>(
      `SELECT WAIT_FOR_EXECUTED_GTID_SET(received_transaction_set, ${APPLY_TIMEOUT_SECONDS})
       FROM performance_schema.replication_connection_status WHERE received_transaction_set <> ''`,
    );
    if (waits.some(([timedOut]) => timedOut !== 0)) {
      throw new Unavailable('MySQL is still applying what it received of the other master');
    }
  }

  private sqlOf(connection: PoolConnection): Sql {
    const query = async <T>(statement: string, rowsAsArray: boolean): Promise<T> => {
      const timeout = this.options.timeoutMs ?? STATEMENT_TIMEOUT_MS;
      try {
        const [answer] = await connection.query({ sql: statement, rowsAsArray, timeout });
        return answer as T;
      } catch (error) {
        throw instructionOf(error);
      }
    };
    return { rows: (statement) => query(statement, true), run: (statement) => query(statement, false) };
  }

  private async retry<T>(run: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await run();
      } catch (error) {
        if (attempt === MAX_TRIES || !isDeadlock(error)) throw error;
        await this.options.clock.sleep(Math.random() * 10 * 2 ** attempt);
      }
    }
  }
}

async function isReadOnly(sql: Sql): Promise<boolean> {
  const [row] = await sql.rows<[number]>('SELECT @@GLOBAL.read_only');
  return row?.[0] === 1;
}

/** Makes the server the active one of a pair if it may take over; see `pair/schema.ts`. */
async function takeOver(sql: Sql): Promise<void> {
  try {
    await sql.run('CALL downspout_pair.take_over()');
  } catch (error) {
    // Without a pair there is no such procedure: somebody else has made the server read-only.
    if (error instanceof Unavailable) throw error;
  }
}

/** Runs `work` between START TRANSACTION and COMMIT. */
export async function inTransaction<T>(sql: Sql, work: (sql: Sql) => Promise<T>): Promise<T> {
  await sql.run('START TRANSACTION');
  try {
    const answer = await work(sql);
    await sql.run('COMMIT');
    return answer;
  } catch (error) {
    // The pool destroys a connection that is Unavailable, and the server rolls back by itself.
    if (!(error instanceof Unavailable)) await sql.run('ROLLBACK');
    throw error;
  }
}

/** JSON and times stay text, because a Date has no microseconds; ids are numbers. */
const driverSettings = {
  connectTimeout: CONNECT_TIMEOUT_MS,
  waitForConnections: true,
  charset: 'utf8mb4',
  timezone: 'Z',
  dateStrings: true,
  jsonStrings: true,
  supportBigNumbers: true,
  // Statements come with their values in them: the driver need not search them for placeholders.
  queryFormat: (statement: string) => statement,
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
