import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise';
import { Unavailable } from '../../../topology/core/errors';
import { addressOf } from '../sql/address';
import { instructionOf } from '../sql/failures';

const CONNECT_TIMEOUT_MS = 5_000;
/** With which a member reads what it lacks from another, and the members talk to each other. */
const REPLICATION_USER = 'downspout_replication';
/** With which HAProxy asks a server for its role. The user has no password and no other right. */
const CHECK_USER = 'downspout_haproxy';
const RECOVERY = 'group_replication_recovery';
const SYSTEM = "('mysql', 'sys', 'information_schema', 'performance_schema')";
/** Of the two masters that earlier versions ran: what each knew of the other. */
const RETIRED_SCHEMA = 'downspout_pair';

export interface MemberAddress {
  /** The name for people: `mysql`, `mysql-b`. */
  readonly name: string;
  /** Leads to this server itself, as a user who may do everything. */
  readonly url: string;
}

/** What a server says of itself at one moment. */
export interface MemberState {
  readonly name: string;
  /** OFFLINE when it is in no group. */
  readonly state: 'ONLINE' | 'RECOVERING' | 'OFFLINE' | 'ERROR' | 'UNREACHABLE';
  /** It belongs to a group that has a primary and most of its members. */
  readonly inGroup: boolean;
  /** Every transaction that it has, those that it received and did not apply yet too. */
  readonly transactions: string;
  /** It has databases besides the system's. */
  readonly holdsData: boolean;
}

/** One server of a group, and the administrator's connection to it. Every call throws Unavailable or UserError. */
export class Member {
  private constructor(
    readonly name: string,
    private readonly connection: Connection,
  ) {}

  static async open({ name, url }: MemberAddress): Promise<Member> {
    const { database: _, ...server } = addressOf(url);
    try {
      const connection = await createConnection({ ...server, connectTimeout: CONNECT_TIMEOUT_MS });
      // A lost connection fails the next statement; the event itself needs no answer.
      connection.on('error', () => undefined);
      return new Member(name, connection);
    } catch (error) {
      throw instructionOf(error);
    }
  }

  close(): void {
    this.connection.destroy();
  }

  async look(): Promise<MemberState> {
    const members = await this.rows(
      'SELECT member_id = @@server_uuid AS own, member_state AS state, member_role AS role FROM performance_schema.replication_group_members',
    );
    const reachable = members.filter(({ state }) => state === 'ONLINE' || state === 'RECOVERING');
    const state = (members.find(({ own }) => own === 1)?.['state'] ?? 'OFFLINE') as MemberState['state'];
    const hasPrimary = reachable.some(({ role }) => role === 'PRIMARY');
    const received = await this.rows(
      "SELECT received_transaction_set AS gtids FROM performance_schema.replication_connection_status WHERE channel_name = 'group_replication_applier'",
    );
    const executed = await this.value('SELECT @@GLOBAL.gtid_executed');
    return {
      name: this.name,
      state,
      inGroup: (state === 'ONLINE' || state === 'RECOVERING') && hasPrimary && reachable.length * 2 > members.length,
      transactions: [executed, ...received.map(({ gtids }) => gtids)].filter((set) => set !== '').join(','),
      holdsData:
        Number(
          await this.value(`SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name NOT IN ${SYSTEM}`),
        ) > 0,
    };
  }

  /** The transactions of `set` that are not in `other`. */
  async difference(set: string, other: string): Promise<string> {
    return String(await this.value('SELECT GTID_SUBTRACT(?, ?)', [set, other])).replaceAll('\n', '');
  }

  /**
   * Readies a server that is in no group: gives it the user and the password of the group, and makes it join by itself from
   * its next start on. Nothing of this goes to the binlog, because each member has it from here.
   * @param isNew what it has done so far counts as nothing, so that its transactions are those of the group
   */
  async prepare(password: string, isNew: boolean): Promise<void> {
    // It may be trying to join since it started.
    await this.run('STOP GROUP_REPLICATION');
    // What a master of a pair was told for its next start.
    for (const name of ['offline_mode', 'super_read_only']) await this.run(`RESET PERSIST IF EXISTS ${name}`);
    await this.run('SET GLOBAL super_read_only = OFF');
    await this.run('SET SESSION sql_log_bin = 0');
    for (const statement of [
      `CREATE USER IF NOT EXISTS '${REPLICATION_USER}'@'%' REQUIRE SSL`,
      `ALTER USER '${REPLICATION_USER}'@'%' IDENTIFIED BY '${password}' REQUIRE SSL`,
      `GRANT REPLICATION SLAVE, CONNECTION_ADMIN, BACKUP_ADMIN, GROUP_REPLICATION_STREAM ON *.* TO '${REPLICATION_USER}'@'%'`,
    ]) {
      await this.run(statement);
    }
    await this.run('SET SESSION sql_log_bin = 1');
    // Only the channel of a pair: what the group's own has received and not applied is data.
    await this.run("STOP REPLICA FOR CHANNEL ''");
    await this.run("RESET REPLICA ALL FOR CHANNEL ''");
    if (isNew) await this.run('RESET BINARY LOGS AND GTIDS');
    await this.run(`CHANGE REPLICATION SOURCE TO SOURCE_USER = ?, SOURCE_PASSWORD = ? FOR CHANNEL '${RECOVERY}'`, [
      REPLICATION_USER,
      password,
    ]);
    await this.run('SET PERSIST group_replication_start_on_boot = ON');
    await this.run('SET GLOBAL offline_mode = OFF');
  }

  /** Begins the group with this server's data. It takes writes only after it has applied what it had received before. */
  async bootstrap(): Promise<void> {
    await this.run('SET GLOBAL group_replication_bootstrap_group = ON');
    try {
      await this.run('START GROUP_REPLICATION');
    } finally {
      await this.run('SET GLOBAL group_replication_bootstrap_group = OFF');
    }
  }

  async isWritable(): Promise<boolean> {
    return (await this.value('SELECT @@GLOBAL.super_read_only')) === 0;
  }

  /** Of the primary: lets HAProxy ask the members for their role, and removes what a pair of masters has left. */
  async furnish(): Promise<void> {
    await this.run(`DROP SCHEMA IF EXISTS ${RETIRED_SCHEMA}`);
    await this.run(`CREATE USER IF NOT EXISTS '${CHECK_USER}'@'%' IDENTIFIED BY ''`);
    await this.run(`GRANT SELECT ON performance_schema.replication_group_members TO '${CHECK_USER}'@'%'`);
  }

  /**
   * Joins the group. A member that lacks more than the others' binlogs hold replaces its data by a copy, stops, and joins when
   * somebody starts it again.
   */
  async join(): Promise<void> {
    try {
      await this.run('START GROUP_REPLICATION');
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      // It says why in its log; the caller sees that it does not come ONLINE.
    }
  }

  private async value(sql: string, values: readonly unknown[] = []): Promise<unknown> {
    const [row] = await this.rows(sql, values);
    return Object.values(row ?? {})[0];
  }

  private async run(sql: string, values: readonly unknown[] = []): Promise<void> {
    await this.rows(sql, values);
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
