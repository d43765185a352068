import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { type Connection, createConnection } from 'mysql2/promise';
import { provision } from '../../../deploy/provision';
import { NativeStack } from '../../../deploy/stack/native-stack';
import { systemClock } from '../../../topology/core/clock';
import { Unavailable } from '../../../topology/core/errors';
import { type Environment, readEnvironment } from '../../../topology/settings/environment';
import { packageRoot } from '../../../topology/settings/package';
import { testStackVariables } from '../../support/stack/shared-stack';
import { testSettings, type World } from '../../support/stack/stack';
import { until } from '../../support/until';

export type MasterName = 'mysql' | 'mysql-b';
const variableOf = { mysql: 'MYSQL_A_URL', 'mysql-b': 'MYSQL_B_URL' } as const;
const NAMES = Object.keys(variableOf) as MasterName[];
/** Everything that a failover must keep; `id` orders both. */
const TABLES = ['scheduled_messages', 'delivery_attempts'];

/** A stack of its own with two masters, with empty data. */
export class HaWorld implements World {
  readonly settings = testSettings();
  /** As a plain `up` has it: it continues what was begun. */
  private readonly stack = stackOf(false);
  private values: Readonly<Record<string, string>> = {};
  private known: Environment | null = null;

  static async start(): Promise<HaWorld> {
    const world = new HaWorld();
    await world.stack.down(true, () => undefined);
    world.values = await stackOf(true).up(() => undefined);
    world.known = readEnvironment({ ...world.values, DOWNSPOUT_NAMESPACE: 'ha' }, {});
    await provision(world.environment, world.settings, systemClock, () => undefined);
    return world;
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

  /** Stops the stack; data and logs stay to be looked at. */
  close(): Promise<void> {
    return this.stack.down(false, () => undefined);
  }

  /** Sends a signal to a part of the stack. */
  signal(part: string, name: NodeJS.Signals): void {
    const found = this.stack.running().find((one) => one.part === part);
    if (found === undefined) throw new Error(`${part} does not run`);
    process.kill(found.pid, name);
  }

  /** Whether a part of the stack runs. */
  runs(part: string): boolean {
    return this.stack.running().some((one) => one.part === part && one.alive);
  }

  /** Asks one master, wherever HAProxy leads. */
  async ask<T extends readonly unknown[]>(master: MasterName, sql: string): Promise<T[]> {
    const connection = await this.connect(master);
    try {
      const [rows] = await connection.query({ sql, rowsAsArray: true });
      return rows as unknown as T[];
    } finally {
      connection.destroy();
    }
  }

  /** The application's URL, past HAProxy. */
  past(master: MasterName): string {
    const url = new URL(this.values['DATABASE_URL'] as string);
    url.port = new URL(this.values[variableOf[master]] as string).port;
    return url.href;
  }

  /** The administrator's connection to one master. */
  async connect(master: MasterName): Promise<Connection> {
    const connection = await createConnection({
      uri: this.values[variableOf[master]] as string,
      supportBigNumbers: true,
    });
    connection.on('error', () => undefined);
    return connection;
  }

  /** Those that may be written to. */
  async writable(): Promise<MasterName[]> {
    const states = await Promise.all(NAMES.map((name) => this.ask<[number]>(name, 'SELECT @@GLOBAL.read_only')));
    return NAMES.filter((_, n) => states[n]?.[0]?.[0] === 0);
  }

  /** The active one and the other, of a healthy pair. */
  async roles(): Promise<{ active: MasterName; passive: MasterName }> {
    const writable = await this.writable();
    const [active] = writable;
    if (active === undefined || writable.length > 1) throw new Error(`writable: ${writable.join(', ') || 'none'}`);
    return { active, passive: active === 'mysql' ? 'mysql-b' : 'mysql' };
  }

  /** When the latest take-over began, epoch milliseconds. */
  async latestTerm(master: MasterName): Promise<number> {
    const [row] = await this.ask<[number]>(
      master,
      'SELECT ROUND(UNIX_TIMESTAMP(MAX(begun)) * 1000) + 0e0 FROM downspout_pair.terms',
    );
    return row?.[0] ?? 0;
  }

  /** Resolves when both masters have the same rows, all columns compared; says how many. */
  async equalRows(): Promise<Record<string, number>> {
    const { active, passive } = await this.roles();
    const counts: Record<string, number> = {};
    for (const table of TABLES) {
      let found = ['', ''];
      await until(
        `${table} is the same on both masters`,
        async () => {
          const both = await Promise.all(
            [active, passive].map((name) => this.ask(name, `SELECT * FROM downspout.${table} ORDER BY id`)),
          );
          counts[table] = both[0]?.length ?? 0;
          found = both.map((rows) => createHash('sha256').update(JSON.stringify(rows)).digest('hex'));
          return found[0] === found[1];
        },
        20_000,
      );
    }
    return counts;
  }
}

function stackOf(ha: boolean): NativeStack {
  return new NativeStack({
    folder: join(packageRoot(), '.downspout', 'faults-ha'),
    clock: systemClock,
    variables: testStackVariables(),
    ha,
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
