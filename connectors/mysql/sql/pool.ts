import {
  createConnection,
  createPool,
  type Pool as DriverPool,
  type PoolConnection,
  type ResultSetHeader,
} from 'mysql2/promise';
import type { Clock } from '../../../topology/core/clock';
import { Unavailable } from '../../../topology/core/errors';
import { LEASE_MS } from '../../../topology/core/lease';
import { type Address, addressOf } from './address';
import { ConnectionInUse } from './connection-in-use';
import { instructionOf, isDeadlock, isFull, patientInstructionOf } from './failures';
import { KeepAlive } from './keep-alive';
import { SchemaGap } from './schema-gap';
import { inTransaction, type Sql } from './sql';

export interface PoolOptions {
  readonly clock: Clock;
  /** Connections at most. */
  readonly size: number;
  /** A connection whose statement takes longer is destroyed, because the driver itself would wait for ever. */
  readonly timeoutMs?: number;
  /** How long a statement waits for a row that another transaction holds. */
  readonly lockWaitSeconds?: number;
  /** Whoever says nothing for so long is taken for lost: the server closes the connection and rolls back its transaction. */
  readonly silenceSeconds?: number;
  /**
   * For a process that runs on its own: what a person has to put right (a password, rights, a database that is missing) is
   * Unavailable, with what to do. A UserError unless given.
   */
  readonly patient?: boolean;
  /** A less urgent pool of this process, which gives up a connection when the server has none for this one. */
  readonly before?: Pick<Pool, 'giveUpIdle'>;
  /** Every transaction and every statement that writes is rolled back: its answer is as it would be, and nothing changes. */
  readonly rehearse?: boolean;
}

const CONNECT_TIMEOUT_MS = 5_000;
/** How long the answer to a statement is waited for, unless a pool says otherwise. */
export const STATEMENT_TIMEOUT_MS = 10_000;
/** The server ends a SELECT itself before the driver gives up, so that the connection stays. */
const SERVER_SHARE = 0.9;
/** Less than STATEMENT_TIMEOUT_MS: whoever waits for an ALTER gets an answer and keeps the connection. */
const TABLE_WAIT_SECONDS = 5;
/** Two leases: a session is dead by then, and what it had locked must be free for whoever takes its rows over. */
const SILENCE_SECONDS = (2 * LEASE_MS) / 1_000;
/** MySQL's own: no limit. */
const ALL_ROWS = '18446744073709551615';
/** MySQL's own: how long the rest of a statement may be on the way. */
const NET_READ_TIMEOUT_SECONDS = 30;
const MAX_TRIES = 5;

/**
 * A pool of connections that all have the same session settings, whatever the server gives to a new one (by its own settings or
 * `init_connect`): each statement is committed, READ COMMITTED, UTC, UTF-8, strict, all rows of an answer, short lock waits.
 *
 * A connection to a server that is read-only, or becomes so, is destroyed: after a failover the next one leads to the
 * primary. That a new primary has applied all that it had received is the server's own affair (see docs/operations.md).
 *
 * The server bounds statements too, because what is only given up here goes on there: waits for rows and tables, the time
 * of a SELECT; and a statement that was given up all the same is ended with KILL. A process that is frozen, or whose machine
 * is gone without a word, would hold the rows of its open transaction for eight hours: the server bounds its silence.
 *
 * Throws what `failures.ts` says: UserError when the URL or the schema is wrong (unless it is patient), otherwise Unavailable, or a bug.
 */
export class Pool implements Sql {
  /** The server of each connection that has its settings. */
  private readonly servers = new WeakMap<object, string>();
  private readonly settings: string;
  private readonly gap: SchemaGap;
  private readonly keepAlive: KeepAlive;
  private readonly kills = new Set<Promise<void>>();

  private constructor(
    private readonly driver: DriverPool,
    private readonly address: Address,
    private readonly options: PoolOptions,
  ) {
    this.gap = new SchemaGap(options.clock);
    const { lockWaitSeconds = 1, silenceSeconds = SILENCE_SECONDS } = options;
    this.keepAlive = new KeepAlive(driver, options.clock, silenceSeconds, (idle) => this.inUse(idle).run('DO 0'));
    this.settings =
      "SET SESSION transaction_isolation='READ-COMMITTED', time_zone='+00:00', autocommit=1, completion_type=0, " +
      // What the driver asks for when it connects, and a server need not listen to.
      `character_set_client='utf8mb4', collation_connection='${driverSettings.charset}', character_set_results='utf8mb4', ` +
      `sql_select_limit=${ALL_ROWS}, sql_safe_updates=0, sql_big_selects=1, ` +
      "sql_mode='ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO', " +
      // Never give up a range for a scan because a list of ids is long.
      `range_optimizer_max_mem_size=0, innodb_lock_wait_timeout=${lockWaitSeconds}, ` +
      `lock_wait_timeout=${Math.max(lockWaitSeconds, TABLE_WAIT_SECONDS)}, ` +
      `max_execution_time=${Math.ceil(this.timeoutMs * SERVER_SHARE)}, wait_timeout=${silenceSeconds}, ` +
      `net_read_timeout=${Math.min(silenceSeconds, NET_READ_TIMEOUT_SECONDS)}`;
  }

  /** Makes no connection yet. @param url see {@link addressOf} */
  static open(url: string, options: PoolOptions): Pool {
    const address = addressOf(url);
    const driver = createPool({ ...address, ...driverSettings, connectionLimit: options.size });
    return new Pool(driver, address, options);
  }

  get clock(): Clock {
    return this.options.clock;
  }

  rows<T extends readonly unknown[]>(statement: string): Promise<T[]> {
    return this.use((sql) => sql.rows<T>(statement));
  }

  run(statement: string): Promise<ResultSetHeader> {
    if (this.options.rehearse === true) return this.transaction((sql) => sql.run(statement));
    return this.retry(() => this.use((sql) => sql.run(statement)));
  }

  /** Runs `work` between START TRANSACTION and COMMIT. After a deadlock it waits a short while and runs `work` again. */
  transaction<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    return this.retry(() => this.use((sql) => inTransaction(sql, work, this.end)));
  }

  /** Runs `work` on one connection, once. */
  async use<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    const connection = await this.acquire();
    const sql = this.inUse(connection);
    try {
      const answer = await work(sql);
      this.gap.succeeded();
      return answer;
    } catch (error) {
      throw this.inPatience(this.gap.instructionOf(error));
    } finally {
      if (sql.lost || sql.doubtful) connection.destroy();
      else connection.release();
      if (sql.unanswered) this.beginKill(connection);
    }
  }

  /** Closes a connection that nobody uses now; another one is opened when it is needed. */
  giveUpIdle(): Promise<void> {
    return this.keepAlive.closeOne();
  }

  async close(): Promise<void> {
    this.keepAlive.stop();
    // A connection that could not be opened is closed, too; whoever asked for it has been given the error.
    await this.driver.end().catch(() => undefined);
    await Promise.all(this.kills);
  }

  private get end(): 'COMMIT' | 'ROLLBACK' {
    return this.options.rehearse === true ? 'ROLLBACK' : 'COMMIT';
  }

  private get timeoutMs(): number {
    return this.options.timeoutMs ?? STATEMENT_TIMEOUT_MS;
  }

  private inUse(connection: PoolConnection): ConnectionInUse {
    return new ConnectionInUse(connection, { timeoutMs: this.timeoutMs, patient: this.options.patient === true });
  }

  private async acquire(): Promise<PoolConnection> {
    let connection: PoolConnection;
    try {
      connection = await this.driver.getConnection();
    } catch (error) {
      if (isFull(error)) await this.options.before?.giveUpIdle();
      throw this.inPatience(instructionOf(error));
    }
    if (this.servers.has(connection.connection)) return connection;
    try {
      this.servers.set(connection.connection, await this.prepare(this.inUse(connection)));
    } catch (error) {
      connection.destroy();
      throw this.inPatience(error);
    }
    return connection;
  }

  private inPatience(error: unknown): unknown {
    return this.options.patient === true ? patientInstructionOf(error, this.gap.worked) : error;
  }

  /** @returns the server's UUID */
  private async prepare(sql: Sql): Promise<string> {
    await sql.run(this.settings);
    const [readOnly, server] = await roleOf(sql);
    if (readOnly) throw new Unavailable('MySQL is read-only here: another server is the primary');
    return server;
  }

  private beginKill(connection: PoolConnection): void {
    if (this.kills.size >= this.options.size) return;
    const kill = this.kill(connection).finally(() => this.kills.delete(kill));
    this.kills.add(kill);
  }

  /**
   * Ends what the server is still doing for a connection that was given up. Otherwise each retry would add a statement to a
   * server that is too slow already. On another server the number may be somebody else's.
   */
  private async kill({ connection, threadId }: PoolConnection): Promise<void> {
    const server = this.servers.get(connection);
    if (server === undefined) return;
    const killer = await createConnection({ ...this.address, connectTimeout: CONNECT_TIMEOUT_MS }).catch(() => null);
    try {
      if (killer === null) return;
      const sql = new ConnectionInUse(killer, { timeoutMs: CONNECT_TIMEOUT_MS });
      const [, here] = await roleOf(sql);
      if (here === server) await sql.run(`KILL ${threadId}`);
    } catch {
      // It has ended by itself, or the server is away.
    } finally {
      killer?.destroy();
    }
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

async function roleOf(sql: Sql): Promise<[readOnly: boolean, server: string]> {
  const [row] = await sql.rows<[number, string]>('SELECT @@GLOBAL.read_only, @@server_uuid');
  return [row?.[0] === 1, row?.[1] ?? ''];
}

/** JSON and times stay text, because a Date has no microseconds; ids are numbers. */
const driverSettings = {
  connectTimeout: CONNECT_TIMEOUT_MS,
  waitForConnections: true,
  charset: 'utf8mb4_general_ci',
  timezone: 'Z',
  dateStrings: true,
  jsonStrings: true,
  supportBigNumbers: true,
  // Statements come with their values in them: the driver need not search them for placeholders.
  queryFormat: (statement: string) => statement,
} as const;
