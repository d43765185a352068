import { randomBytes } from 'node:crypto';
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise';
import { Unavailable, UserError } from '../../../topology/core/errors';
import { instructionOf } from '../sql/failures';
import { addressOf } from '../sql/pool';
import { beginTerm, LOCK, REPLICATION_USER, SCHEMA, statements } from './schema';

const CONNECT_TIMEOUT = 5_000;
/** Seconds to wait for a take-over or another `up` that is under way. */
const LOCK_TIMEOUT = 30;
/** Seconds until a passive master must have caught up. */
const CATCH_UP = 60;
const SYSTEM = "('mysql', 'sys', 'information_schema', 'performance_schema')";

export interface MasterAddress {
  /** As people know it: `mysql`, `mysql-b`. */
  readonly name: string;
  /** Of a user who may do everything, to this very server. */
  readonly url: string;
  /** Where the other master finds it. */
  readonly host: string;
  readonly port: number;
}

/** A master as it was when it was looked at. */
export interface MasterState {
  readonly name: string;
  readonly uuid: string;
  /** Applications are let in and may write. */
  readonly active: boolean;
  /** The latest term that it knows of; null when it never belonged to a pair. */
  readonly term: { readonly number: number; readonly holder: string } | null;
  /** Databases that are not the system's. */
  readonly databases: readonly string[];
}

/** One of two masters, with the administrator's connection to it. Nobody takes over while it is open. */
export class Master {
  private constructor(
    readonly address: MasterAddress,
    private readonly connection: Connection,
  ) {}

  /** @throws Unavailable, UserError */
  static async open(address: MasterAddress): Promise<Master> {
    const { host, port, user, password } = addressOf(address.url);
    let connection: Connection;
    try {
      connection = await createConnection({ host, port, user, password, connectTimeout: CONNECT_TIMEOUT });
    } catch (error) {
      throw instructionOf(error);
    }
    // Losing the connection fails the statement that needs it.
    connection.on('error', () => undefined);
    const master = new Master(address, connection);
    try {
      if ((await master.value(`SELECT GET_LOCK('${LOCK}', ${LOCK_TIMEOUT})`)) === 1) return master;
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

  /** From its next start on it lets nobody in and changes nothing, until somebody has compared it with the other. */
  async startClosedFromNowOn(): Promise<void> {
    await this.run('SET PERSIST_ONLY offline_mode = ON');
    await this.run('SET PERSIST_ONLY super_read_only = ON');
  }

  /** Makes what the two know of each other, here only: the other one gets it by being built from this one. */
  async makeSchema(): Promise<void> {
    await this.unlogged(statements);
  }

  /** Makes it the active one. */
  async activate(newTerm: boolean): Promise<void> {
    await this.run('STOP REPLICA');
    await this.run('SET GLOBAL super_read_only = OFF');
    if (newTerm) await this.run(beginTerm());
    await this.run('SET GLOBAL read_only = OFF');
    await this.run('SET GLOBAL offline_mode = OFF');
  }

  /** Ends every application's connection, lets none in and changes nothing any more. */
  async shut(): Promise<void> {
    await this.run('SET GLOBAL offline_mode = ON');
    await this.run('SET GLOBAL super_read_only = ON');
  }

  async executed(): Promise<string> {
    return String(await this.value('SELECT @@GLOBAL.gtid_executed'));
  }

  /** What `set` has and this one has not. */
  async lacks(set: string): Promise<string> {
    return String(await this.value('SELECT GTID_SUBTRACT(?, @@GLOBAL.gtid_executed)', [set])).replaceAll('\n', '');
  }

  /** Whether it receives from the other one and applies. */
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

  /** Receives from `source` from now on. The default number of tries would end it for good after some seconds. */
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

  /** Lets applications in once it has all of `set`: they read, and one of them may make it take over. */
  async stand(set: string): Promise<void> {
    const late = await this.value(`SELECT WAIT_FOR_EXECUTED_GTID_SET(?, ${CATCH_UP})`, [set]);
    if (late !== 0) throw new UserError(await this.whyLate());
    await this.run('SET GLOBAL offline_mode = OFF');
  }

  /** Replaces all data by a copy of the source's. The server ends in doing so and must be started. */
  async copyFrom(source: Master): Promise<void> {
    const { host, port } = source.address;
    const password = await source.admit('BACKUP_ADMIN');
    await this.run('SET GLOBAL clone_valid_donor_list = ?', [`${host}:${port}`]);
    try {
      await this.run('CLONE INSTANCE FROM ?@?:? IDENTIFIED BY ? REQUIRE SSL', [REPLICATION_USER, host, port, password]);
    } catch (error) {
      // Nothing that it knows of starts it again, or it has ended before it could answer: both mean that it is done.
      const done = error instanceof Unavailable || /\b3707\b|Restart server failed/.test(String(error));
      if (!done) throw error;
    }
  }

  /** Counts transactions as executed without doing what they did: their numbers are never used for others. */
  async skip(gtids: readonly string[]): Promise<void> {
    for (const gtid of gtids) {
      await this.run('SET SESSION gtid_next = ?', [gtid]);
      await this.run('BEGIN');
      await this.run('COMMIT');
    }
    await this.run("SET SESSION gtid_next = 'AUTOMATIC'");
  }

  /** Gives the user of the other one a new password and a right. @returns the password */
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
    return `${this.name} did not catch up with the other master within ${CATCH_UP} s: ${why}. Run \`downspout up\` again.`;
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
