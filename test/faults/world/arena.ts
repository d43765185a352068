import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Connector } from '../../../connectors/debezium/connector';
import { captureNames } from '../../../connectors/debezium/settings';
import { type Client, createClient } from '../../../connectors/mysql/client/client';
import { Pool } from '../../../connectors/mysql/sql/pool';
import { provision } from '../../../deploy/provision';
import { systemClock } from '../../../topology/core/clock';
import type { Gauges } from '../../../topology/gauges';
import { type Environment, readEnvironment, required } from '../../../topology/settings/environment';
import { readTopologyFile } from '../../../topology/settings/topology-settings';
import { Begun } from '../../support/begun';
import { type Received, Receiver } from '../../support/channels/receiver';
import { Random } from '../../support/random';
import { topologyFile } from '../../support/stack/topology-file';
import { SilentResolver } from '../../support/tenants/silent-resolver';
import { until } from '../../support/until';
import { requestsOf } from '../judge/content';
import type { Histories } from '../judge/history';
import { tableHistory } from '../judge/witnesses';
import { Clients } from './clients';
import { Crew } from './crew';
import { FaultStack, faultsFolder, type PartName } from './fault-stack';

/** Paths of requests that no client's message makes; the judge does not get them. */
export const HARM_PATH = '/harm';
export const WORKERS = ['due-0', 'due-1', 'webhook-0', 'webhook-1'];
/** After a fault every worker must be back within this. */
const RECOVERY_MS = 90_000;
/** Every row must have ended within this. */
const SETTLING_MS = 120_000;
/** What must be 0 when everything is at rest. */
const WORK_LEFT = [
  'pending.webhook',
  'feed_lag',
  'held',
  'claimed_waiting',
  'in_flight',
  'unwritten',
] as const satisfies (keyof Gauges)[];

/** What faults act on: a stack of its own, workers, a receiver, and clients that record what they do. */
export class Arena {
  clients: Clients;
  /** What runs beside the crew. */
  readonly beside = new Begun();
  private runs = 0;
  private others: Receiver[] = [];

  private constructor(
    readonly stack: FaultStack,
    readonly environment: Environment,
    readonly crew: Crew,
    readonly receiver: Receiver,
    readonly client: Client,
    /** May do everything: for looking, and for what plain SQL may do. */
    readonly sql: Pool,
    readonly connector: Connector,
    private readonly resolver: SilentResolver,
  ) {
    this.clients = new Clients(client, receiver.url, 'none', new Random(0));
  }

  /** @param say takes a line about what is going on */
  static async start(say: (text: string) => void): Promise<Arena> {
    const stack = await FaultStack.start(say);
    const environment = readEnvironment(stack.settings, {});
    const topology = readTopologyFile().settings;
    await provision(environment, topology, systemClock, () => undefined);
    const logFolder = join(faultsFolder, 'workers');
    rmSync(logFolder, { recursive: true, force: true });
    mkdirSync(logFolder, { recursive: true });
    const topologyPath = join(logFolder, 'topology.yaml');
    // The test waits for the last retry, so retries must not wait for long.
    const quickRetries = { backOffMax: '2s', timeout: '5s' };
    writeFileSync(
      topologyPath,
      topologyFile((components) => ({ ...components, webhook: { ...components['webhook'], ...quickRetries } })),
    );
    // No message of the clients needs a name server.
    const resolver = await SilentResolver.start();
    const settings = {
      ...stack.settingsOfWorkers,
      DOWNSPOUT_RESOLVER: resolver.address,
      DOWNSPOUT_TOPOLOGY: topologyPath,
      WEBHOOK_ALLOW_PRIVATE_ADDRESSES: 'true',
    };
    const arena = new Arena(
      stack,
      environment,
      new Crew({ settings, logFolder }),
      await Receiver.start(),
      createClient(required(environment, 'DATABASE_URL')),
      Pool.open(required(environment, 'ADMIN_DATABASE_URL'), { clock: systemClock, size: 2, silenceSeconds: 600 }),
      new Connector({ url: required(environment, 'CONNECT_URL') }, captureNames('').connector, systemClock),
      resolver,
    );
    for (const name of WORKERS) arena.crew.start(name);
    await arena.recovered();
    return arena;
  }

  /** Forgets what was before, and begins another run. */
  async begin(random: Random): Promise<void> {
    await this.sql.run('DELETE FROM delivery_attempts');
    await this.sql.run('DELETE FROM scheduled_messages');
    this.receiver.journal.length = 0;
    await Promise.all(this.others.splice(0).map((other) => other.close()));
    this.clients = new Clients(this.client, this.receiver.url, `r${process.pid}-${++this.runs}`, random);
  }

  /** A receiver at another origin, until the end of the run. The judge gets its requests too. */
  async anotherReceiver(): Promise<Receiver> {
    const receiver = await Receiver.start();
    this.others.push(receiver);
    return receiver;
  }

  /** Starts what does not run, and waits until every part answers and every worker owns partitions. */
  async recovered(): Promise<void> {
    for (const part of ['mysql', 'kafka', 'connect'] satisfies PartName[]) await this.stack.restart(part);
    for (const name of WORKERS) if (!this.crew.names.includes(name)) this.crew.start(name);
    await until('every worker is registered and owns partitions', () => this.owned(), RECOVERY_MS);
    await until('the connector and its task run', () => this.connected(), RECOVERY_MS);
  }

  /** Waits until no row is open and no worker has anything in hand. @returns what three witnesses say */
  async settled(): Promise<Histories> {
    const isClosed = async () => {
      const [row] = await this.sql.rows<[number]>('SELECT COUNT(*) FROM scheduled_messages WHERE open = 1');
      return row?.[0] === 0;
    };
    await until('no row is open', isClosed, SETTLING_MS).catch(() => undefined);
    let left: Record<string, number> = {};
    const isEmpty = async () => {
      left = await this.left();
      return Object.values(left).every((count) => count === 0);
    };
    await until('no worker has anything in hand', isEmpty, 30_000).catch(() => undefined);
    const keys = await this.sql.rows<[string, number]>(
      'SELECT dedupe_key, id FROM scheduled_messages WHERE dedupe_key IS NOT NULL',
    );
    const ids = new Map(keys);
    return {
      clients: this.clients.recorder.historyWith((key) => ids.get(key)),
      requests: requestsOf(this.journal.filter(({ path }) => !path.startsWith(HARM_PATH))),
      table: await tableHistory(this.sql),
      classes: { webhook: 'idempotent' },
      left,
    };
  }

  private get journal(): Received[] {
    return [this.receiver, ...this.others].flatMap(({ journal }) => journal);
  }

  /** The session of a worker's process. */
  async sessionOf(name: string): Promise<string> {
    const pid = this.crew.pidOf(name);
    const rows = await this.sql.rows<[string]>(
      `SELECT LOWER(HEX(session)) FROM workers WHERE pid = ${pid ?? 0} ORDER BY started_at DESC LIMIT 1`,
    );
    const session = rows[0]?.[0];
    if (session === undefined) throw new Error(`${name} is not registered`);
    return session;
  }

  /** The worker that owns a partition. */
  async ownerOf(component: string, partition: number): Promise<string> {
    const owner = (await this.reports()).find(({ partitions }) => partitions[component]?.includes(partition) === true);
    const name = this.crew.names.find((one) => this.crew.pidOf(one) === owner?.pid);
    if (name === undefined) throw new Error(`nobody owns partition ${partition} of ${component}`);
    return name;
  }

  /** Ends everything, whatever part of it cannot be ended in good order. */
  async stop(): Promise<void> {
    try {
      await Promise.all([this.beside.endAll(), this.crew.stopAll()]);
    } finally {
      const receivers = [this.receiver, ...this.others].map((receiver) => receiver.close());
      await Promise.allSettled([this.client.close(), this.sql.close(), this.resolver.close(), ...receivers]);
      await this.stack.stop();
    }
  }

  private async owned(): Promise<boolean> {
    const pids = this.crew.names.map((name) => this.crew.pidOf(name));
    const rows = await this.reports();
    return pids.every((pid) =>
      rows.some((row) => row.pid === pid && Object.values(row.partitions).some((owned) => owned.length > 0)),
    );
  }

  private async connected(): Promise<boolean> {
    const status = await this.connector.status().catch(() => null);
    return status?.state === 'RUNNING' && status.tasks.length > 0 && status.tasks.every((t) => t.state === 'RUNNING');
  }

  private async left(): Promise<Record<string, number>> {
    const left: Record<string, number> = {};
    for (const { gauges } of await this.reports()) {
      for (const [component, own] of Object.entries(gauges)) {
        for (const name of WORK_LEFT) {
          const label = `${name} of ${component}`;
          left[label] = (left[label] ?? 0) + (own[name] ?? 0);
        }
      }
    }
    return left;
  }

  /** What living workers said of themselves with their last renewal. */
  private async reports() {
    const rows = await this.sql.rows<[number, string | null]>(
      'SELECT pid, report FROM workers WHERE dead = 0 AND lease_until >= UNIX_TIMESTAMP() * 1000',
    );
    return rows.map(([pid, report]) => ({
      pid,
      partitions: {} as Record<string, number[]>,
      gauges: {} as Record<string, Gauges>,
      ...(JSON.parse(report ?? '{}') as object),
    }));
  }
}
