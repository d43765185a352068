import { randomBytes } from 'node:crypto';
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise';
import { Unavailable, UserError } from '../../../topology/core/errors';
import { addressOf } from '../sql/address';
import { instructionOf } from '../sql/failures';
import { beginTerm, LOCK, REPLICATION_USER, SCHEMA, statements } from './schema';

const CONNECT_TIMEOUT_MS = 5_000;
/** How long to wait for a take-over or another `up` that is under way. */
const LOCK_TIMEOUT_SECONDS = 30;
/** A passive master must catch up within this time. */
const CATCH_UP_SECONDS = 60;
const SYSTEM = "('mysql', 'sys', 'information_schema', 'performance_schema')";

export interface MasterAddress {
  /** The name for people: `mysql`, `mysql-b`. */
  readonly name: string;
  /** Leads to this server itself, as a user who may do everything. */
  readonly url: string;
  /** Where the other master finds it. */
  readonly host: string;
  readonly port: number;
}

/** The state of a master at one moment. */
export interface MasterState {
  readonly name: string;
  readonly uuid: string;
  /** Applications may connect and write. */
  readonly active: boolean;
  /** The latest term that the master knows of; null when it never belonged to a pair. */
  readonly term: { readonly number: number; readonly holder: string } | null;
  /** Databases that are not the system's. */
  readonly databases: readonly string[];
}

/** One of two masters, and the administrator's connection to it. The connection holds a lock, so nobody takes over. */
export class Master {
  private constructor(
    readonly address: MasterAddress,
    private readonly connection: Connection,
  ) {}

  /** @throws Unavailable, UserError */
  static async open(address: MasterAddress): Promise<Master> {
    const { database: _, ...server } = addressOf(address.url);
    let connection: Connection;
    try {
      connection = await createConnection({ ...server, connectTimeout: CONNECT_TIMEOUT_MS });
    } catch (error) {
      throw instructionOf(error);
    }
    // A lost connection fails the next statement; the event itself needs no answer.
    connection.on('error', () => undefined);
    const master = new Master(address, connection);
    try {
      if ((await master.value(`SELECT GET_LOCK('${LOCK}', ${LOCK_TIMEOUT_SECONDS})`)) === 1) return master;
      throw new Unavailable(`${address.name}: a take-over or another \`downspout up\` is under way`);
    } catch (error) {
      master.close();
      throw error;
    }
  }

  get name(): string {
    return this.address.name;
  }

  close(): void {
    this.connection.destroy();
  }

  async look(): Promise<MasterState> {
    const databases = await this.rows(
      `SELECT schema_name AS name FROM information_schema.schemata WHERE schema_name NOT IN ${SYSTEM}`,
    );
    const names = databases.map((row) => String(row['name']));
    const [latest] = names.includes(SCHEMA)
      ? await this.rows(`SELECT term, server_uuid AS holder FROM ${SCHEMA}.terms ORDER BY term DESC LIMIT 1`)
      : [];
    return {
      name: this.name,
      uuid: String(await this.value('SELECT @@server_uuid')),
      active: (await this.value('SELECT NOT @@GLOBAL.read_only AND NOT @@GLOBAL.offline_mode')) === 1,
      term: latest === undefined ? null : { number: Number(latest['term']), holder: String(latest['holder']) },
      databases: names.filter((name) => name !== SCHEMA),
    };
  }

  /** From its next start on the server lets nobody in and changes nothing, until `joinPair` has compared it with the other. */
  async startClosedFromNowOn(): Promise<void> {
    await this.run('SET PERSIST_ONLY offline_mode = ON');
    await this.run('SET PERSIST_ONLY super_read_only = ON');
  }

  /** Makes the pair's schema on this server only: the other one is built from this one, and so gets it too. */
  async makeSchema(): Promise<void> {
    await this.unlogged(statements);
  }

  /** Makes this server the active one. */
  async activate(newTerm: boolean): Promise<void> {
    await this.run('STOP REPLICA');
    await this.run('SET GLOBAL super_read_only = OFF');
    if (newTerm) await this.run(beginTerm());
    await this.run('SET GLOBAL read_only = OFF');
    await this.run('SET GLOBAL offline_mode = OFF');
  }

  /** Ends the connections of all applications, lets none in and refuses changes. */
  async shut(): Promise<void> {
    await this.run('SET GLOBAL offline_mode = ON');
    await this.run('SET GLOBAL super_read_only = ON');
  }

  async executed(): Promise<string> {
    return String(await this.value('SELECT @@GLOBAL.gtid_executed'));
  }

  /** The transactions of `set` that this server has not executed. */
  async lacks(set: string): Promise<string> {
    return String(await this.value('SELECT GTID_SUBTRACT(?, @@GLOBAL.gtid_executed)', [set])).replaceAll('\n', '');
  }

  /** Whether this server receives from `source` and applies what it receives. */
  async follows(source: Master): Promise<boolean> {
    const rows = await this.rows(
      `SELECT 1 FROM performance_schema.replication_connection_configuration c
       JOIN performance_schema.replication_connection_status s USING (channel_name)
       JOIN performance_schema.replication_applier_status a USING (channel_name)
       WHERE c.host = ? AND c.port = ? AND s.service_state = 'ON' AND a.service_state = 'ON'`,
      [source.address.host, source.address.port],
    );
    return rows.length > 0;
  }

  /** Receives from `source` from now on. With the default number of tries it would stop for good after some seconds. */
  async follow(source: Master): Promise<void> {
    const { host, port } = source.address;
    const password = await source.admit('REPLICATION SLAVE');
    await this.run('STOP REPLICA');
    await this.run(
      `CHANGE REPLICATION SOURCE TO SOURCE_HOST = ?, SOURCE_PORT = ?, SOURCE_USER = ?, SOURCE_PASSWORD = ?,
         SOURCE_AUTO_POSITION = 1, SOURCE_SSL = 1, SOURCE_CONNECT_RETRY = 1, SOURCE_RETRY_COUNT = 86400,
         SOURCE_HEARTBEAT_PERIOD = 1`,
      [host, port, REPLICATION_USER, password],
    );
    await this.run('START REPLICA');
  }

  /** Lets applications in once this server has executed all of `set`. They may read, and may make it take over. */
  async stand(set: string): Promise<void> {
    const late = await this.value(`SELECT WAIT_FOR_EXECUTED_GTID_SET(?, ${CATCH_UP_SECONDS})`, [set]);
    if (late !== 0) throw new UserError(await this.whyLate());
    await this.run('SET GLOBAL offline_mode = OFF');
  }

  /** Replaces all data by a copy of the source's. The server stops when it is done and must be started again. */
  async copyFrom(source: Master): Promise<void> {
    const { host, port } = source.address;
    const password = await source.admit('BACKUP_ADMIN');
    await this.run('SET GLOBAL clone_valid_donor_list = ?', [`${host}:${port}`]);
    try {
      await this.run('CLONE INSTANCE FROM ?@?:? IDENTIFIED BY ? REQUIRE SSL', [REPLICATION_USER, host, port, password]);
    } catch (error) {
      // Either the server says that it cannot start itself again, or it stopped before it could answer. Both mean success.
      const done = error instanceof Unavailable || /\b3707\b|Restart server failed/.test(String(error));
      if (!done) throw error;
    }
  }

  /** Marks transactions as executed without running them, so that their numbers are never used for others. */
  async skip(gtids: readonly string[]): Promise<void> {
    for (const gtid of gtids) {
      await this.run('SET SESSION gtid_next = ?', [gtid]);
      await this.run('BEGIN');
      await this.run('COMMIT');
    }
    await this.run("SET SESSION gtid_next = 'AUTOMATIC'");
  }

  /** Gives the other master's user a new password and a right. @returns the password */
  private async admit(right: 'REPLICATION SLAVE' | 'BACKUP_ADMIN'): Promise<string> {
    const password = randomBytes(18).toString('base64url');
    await this.unlogged([
      `CREATE USER IF NOT EXISTS '${REPLICATION_USER}'@'%' REQUIRE SSL`,
      `ALTER USER '${REPLICATION_USER}'@'%' IDENTIFIED BY '${password}' REQUIRE SSL`,
      `GRANT ${right} ON *.* TO '${REPLICATION_USER}'@'%'`,
    ]);
    return password;
  }

  private async whyLate(): Promise<string> {
    const [error] = await this.rows(
      `SELECT last_error_message AS text FROM performance_schema.replication_connection_status WHERE last_error_number > 0
       UNION ALL SELECT last_error_message FROM performance_schema.replication_applier_status_by_worker WHERE last_error_number > 0`,
    );
    const why = error === undefined ? 'it is still applying' : String(error['text']);
    return `${this.name} did not catch up with the other master within ${CATCH_UP_SECONDS} s: ${why}. Run \`downspout up\` again.`;
  }

  private async unlogged(sql: readonly string[]): Promise<void> {
    await this.run('SET SESSION sql_log_bin = 0');
    for (const statement of sql) await this.run(statement);
    await this.run('SET SESSION sql_log_bin = 1');
  }

  private async run(sql: string, values: readonly unknown[] = []): Promise<void> {
    await this.rows(sql, values);
  }

  private async value(sql: string, values: readonly unknown[] = []): Promise<unknown> {
    const [row] = await this.rows(sql, values);
    return Object.values(row ?? {})[0];
  }

  private async rows(sql: string, values: readonly unknown[] = []): Promise<RowDataPacket[]> {
    try {
      const [rows] = await this.connection.query<RowDataPacket[]>(sql, [...values]);
      return rows;
    } catch (error) {
      throw instructionOf(error);
    }
  }
}
