import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { type Connection, createConnection } from 'mysql2/promise';
import { Connector } from '../../../connectors/debezium/connector';
import { captureNames } from '../../../connectors/debezium/settings';
import { provision } from '../../../deploy/provision';
import { endProcess, recordOf } from '../../../deploy/stack/host/processes';
import { partsOf } from '../../../deploy/stack/native-parts';
import { NativeStack } from '../../../deploy/stack/native-stack';
import type { BrokerName } from '../../../deploy/stack/parts/kafka-part';
import { MYSQL_SERVERS, type MySqlName } from '../../../deploy/stack/parts/mysql-part';
import type { Part } from '../../../deploy/stack/parts/part';
import { administratorUrl } from '../../../deploy/stack/stack-settings';
import { systemClock } from '../../../topology/core/clock';
import { Unavailable } from '../../../topology/core/errors';
import { type Environment, readEnvironment, required } from '../../../topology/settings/environment';
import { packageRoot } from '../../../topology/settings/package';
import { testStackVariables } from '../../support/stack/shared-stack';
import { testSettings, type World } from '../../support/stack/stack';
import { until } from '../../support/until';
import { fillOneServer, OLD_CHANNEL } from './one-server';

/** Everything that a failover must keep; `id` orders both. */
const TABLES = ['scheduled_messages', 'delivery_attempts'];
const GRACE_MS = 20_000;
/** A member that was away applies what it missed within this time, on a machine that does other things beside. */
const CATCH_UP_MS = 180_000;
/** Servers are asked over new connections, and for all their rows. */
const LOOK_MS = 250;

export type PartName = MySqlName | BrokerName | 'connect' | 'connect-b' | 'haproxy';

export interface Members {
  readonly primary: MySqlName;
  readonly secondaries: readonly MySqlName[];
}

/** A highly available stack of its own, with empty data. */
export class HaWorld implements World {
  readonly settings = testSettings();
  /** As a plain `up` has it: it continues what was begun. */
  private readonly stack = stackOf(false);
  private values: Readonly<Record<string, string>> = {};
  private known: Environment | null = null;

  /**
   * @param say takes a line about what is going on
   * @param fromOne whether the stack was one server before, whose binlog does not go back to its beginning
   */
  static async start(say: (text: string) => void = () => undefined, fromOne = false): Promise<HaWorld> {
    const world = new HaWorld();
    await world.stack.down(true, () => undefined);
    try {
      if (fromOne) await fillOneServer(stackOf(false, (parts) => parts.filter(({ name }) => name === 'mysql')));
      world.values = await stackOf(true).up(({ part, stage, text }) => {
        if (stage !== 'starting') say(`${part}: ${text}`);
      });
      world.known = readEnvironment({ ...world.values, DOWNSPOUT_NAMESPACE: 'ha' }, {});
      await provision(world.environment, world.settings, systemClock, () => undefined);
      return world;
    } catch (error) {
      await world.close();
      throw error;
    }
  }

  /** How many rows each server has of when the stack was one server. */
  async oldRows(): Promise<number[]> {
    const counts = MYSQL_SERVERS.map((name) =>
      this.ask<[number]>(name, `SELECT COUNT(*) FROM downspout.scheduled_messages WHERE channel = '${OLD_CHANNEL}'`),
    );
    return (await Promise.all(counts)).map((rows) => Number(rows[0]?.[0]));
  }

  get environment(): Environment {
    return this.known as Environment;
  }

  /** As `downspout up` again. @returns what it says about each part */
  async up(): Promise<string[]> {
    const said: string[] = [];
    this.values = await this.stack.up(({ part, text }) => said.push(`${part}: ${text}`));
    return said;
  }

  /** What an engine does when a part died: starts it again, and leaves the others alone. */
  async revive(name: PartName): Promise<void> {
    await stackOf(false, (parts) => parts.filter((part) => part.name === name)).up(() => undefined);
  }

  /** Ends the stack at once, because nobody needs it in good order any more; data and logs stay to be looked at. */
  async close(): Promise<void> {
    for (const { pid, alive } of this.stack.running()) if (alive) process.kill(pid, 'SIGKILL');
    await this.stack.down(false, () => undefined);
  }

  /** Ends a part without warning. */
  async kill(name: PartName): Promise<void> {
    process.kill(this.running(name).pid, 'SIGKILL');
    await until(`${name} has ended`, () => !this.running(name).alive);
  }

  /** Ends a part as engines do: SIGTERM, and SIGKILL after a while. */
  async end(name: PartName): Promise<void> {
    const record = recordOf(this.running(name).pid);
    if (record !== null) await endProcess(record, GRACE_MS, systemClock);
  }

  pause(name: PartName): void {
    process.kill(this.running(name).pid, 'SIGSTOP');
  }

  resume(name: PartName): void {
    process.kill(this.running(name).pid, 'SIGCONT');
  }

  /** Asks one server, wherever HAProxy leads. */
  async ask<T extends readonly unknown[]>(name: MySqlName, sql: string): Promise<T[]> {
    const connection = await this.connect(name);
    try {
      const [rows] = await connection.query({ sql, rowsAsArray: true });
      return rows as unknown as T[];
    } finally {
      connection.destroy();
    }
  }

  /** Asks whatever server a new connection reaches. */
  async askAnew<T extends readonly unknown[]>(sql: string): Promise<T[]> {
    const connection = await createConnection(required(this.environment, 'ADMIN_DATABASE_URL'));
    try {
      const [rows] = await connection.query({ sql, rowsAsArray: true });
      return rows as unknown as T[];
    } finally {
      connection.destroy();
    }
  }

  /** The administrator's connection to one server. */
  async connect(name: MySqlName): Promise<Connection> {
    const admin = decodeURIComponent(new URL(required(this.environment, 'ADMIN_DATABASE_URL')).password);
    const uri = administratorUrl(`127.0.0.1:${this.running(name).port}`, admin);
    const connection = await createConnection({ uri, supportBigNumbers: true });
    connection.on('error', () => undefined);
    return connection;
  }

  /** @returns null while the group has no primary that most of its members know */
  async members(): Promise<Members | null> {
    const seen = MYSQL_SERVERS.filter((name) => this.running(name).alive).map(async (name): Promise<Members | null> => {
      try {
        const rows = await this.ask<[number, string, string]>(
          name,
          'SELECT member_port, member_role, member_state FROM performance_schema.replication_group_members',
        );
        const online = rows.filter(([, , state]) => state === 'ONLINE');
        const of = (role: string) => online.filter(([, one]) => one === role).map(([port]) => this.serverOn(port));
        const [primary] = of('PRIMARY');
        return primary === undefined || online.length < 2 ? null : { primary, secondaries: of('SECONDARY') };
      } catch {
        return null;
      }
    });
    const views = (await Promise.all(seen)).filter((view) => view !== null);
    return views.toSorted((a, b) => b.secondaries.length - a.secondaries.length)[0] ?? null;
  }

  /** The members once all three are in the group. */
  async whole(): Promise<Members> {
    let members: Members | null = null;
    await until(
      'all three are ONLINE in one group',
      async () => {
        members = await this.members();
        return members !== null && members.secondaries.length === 2;
      },
      CATCH_UP_MS,
      LOOK_MS,
    );
    return members as unknown as Members;
  }

  /** Makes another server the primary, as for maintenance. @returns its name */
  async switchPrimary(): Promise<MySqlName> {
    const { secondaries } = await this.whole();
    const next = secondaries[0] as MySqlName;
    await this.ask(next, 'SELECT group_replication_set_as_primary(@@server_uuid)');
    return next;
  }

  /** Resolves when all servers have the same rows, all columns compared; says how many. */
  async equalRows(): Promise<Record<string, number>> {
    const counts: Record<string, number> = {};
    for (const table of TABLES) {
      await until(
        `${table} is the same on all servers`,
        async () => {
          const all = await Promise.all(
            MYSQL_SERVERS.map((name) => this.ask(name, `SELECT * FROM downspout.${table} ORDER BY id`)),
          );
          counts[table] = all[0]?.length ?? 0;
          const digests = all.map((rows) => createHash('sha256').update(JSON.stringify(rows)).digest('hex'));
          return new Set(digests).size === 1;
        },
        CATCH_UP_MS,
        LOOK_MS,
      );
    }
    return counts;
  }

  connector(): Connector {
    const url = required(this.environment, 'CONNECT_URL');
    return new Connector({ url }, captureNames(this.environment.DOWNSPOUT_NAMESPACE).connector, systemClock);
  }

  private running(name: PartName): { pid: number; alive: boolean; port: number | null } {
    const found = this.stack.running().find(({ part }) => part === name);
    if (found === undefined) throw new Error(`${name} was not started`);
    return found;
  }

  private serverOn(port: number): MySqlName {
    return MYSQL_SERVERS.find((name) => this.running(name).port === port) as MySqlName;
  }
}

/** Without Prometheus, at which nobody looks. */
function stackOf(ha: boolean, some: (parts: readonly Part[]) => readonly Part[] = (parts) => parts): NativeStack {
  return new NativeStack({
    folder: join(packageRoot(), '.downspout', 'faults-ha'),
    clock: systemClock,
    variables: testStackVariables(),
    ha,
    parts: (context) => some(partsOf(context).filter(({ name }) => name !== 'prometheus')),
  });
}

/** What a condition says, or false while the database is away. */
export async function whenThere(condition: () => Promise<boolean>): Promise<boolean> {
  try {
    return await condition();
  } catch (error) {
    if (error instanceof Unavailable) return false;
    throw error;
  }
}
