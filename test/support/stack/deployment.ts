import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Client, createClient } from '../../../connectors/mysql/client/client';
import { Pool } from '../../../connectors/mysql/sql/pool';
import { systemClock } from '../../../topology/core/clock';
import { idempotencyKey } from '../../../topology/message';
import { type Environment, required } from '../../../topology/settings/environment';
import { packageRoot } from '../../../topology/settings/package';
import { Receiver } from '../channels/receiver';
import { until } from '../until';
import { variablesOf } from './cli';
import { testStackFolder } from './shared-stack';
import { freshWorld, testSettings, type World } from './stack';
import { type RunningWorker, Supervisor } from './supervisor';

/** Time for a worker to drain, milliseconds. */
const DRAIN = 20_000;

const dist = join(packageRoot(), 'dist');
const downspoutWorker = [join(dist, 'deploy', 'cli', 'downspout.js'), 'worker', '--component'];
const withTestChannels = [join(dist, 'test', 'support', 'stack', 'worker.js')];

/** A world with worker processes as `downspout worker` starts them, a client and a receiver. */
export class Deployment {
  private constructor(
    readonly world: World,
    readonly receiver: Receiver,
    readonly client: Client,
    /** May do everything: for looking, and for what plain SQL may do. */
    readonly sql: Pool,
    private readonly workers: Supervisor,
    private readonly id: string,
    /** What its workers find in their environment. */
    readonly settings: Readonly<Record<string, string>>,
  ) {}

  /**
   * @param components one entry per worker process, e.g. `['due', 'due', 'webhook']`
   * @param topology components of topology.yaml that may name the channels of tests too, e.g. `'{ webhook: {}, ask: {} }'`
   * @param makeWorld when it is not to be on the shared stack
   */
  static async start(
    components: readonly string[],
    topology?: string,
    makeWorld: () => Promise<World> = () => freshWorld(testSettings(topology)),
  ): Promise<Deployment> {
    const [world, receiver] = await Promise.all([makeWorld(), Receiver.start()]);
    const { environment } = world;
    const names = components.map((component, index) => ({ name: `${component}-${index}`, component }));
    const common = workerSettings(world.workers ?? environment);
    const settings =
      topology === undefined ? common : { ...common, DOWNSPOUT_TOPOLOGY: writeTopology(environment, topology) };
    const workers =
      topology === undefined
        ? localTarget(environment, names, settings)
        : localTarget(environment, names, settings, undefined, withTestChannels);
    workers.start();
    const client = createClient(required(environment, 'DATABASE_URL'));
    const sql = Pool.open(required(environment, 'ADMIN_DATABASE_URL'), { clock: systemClock, size: 2 });
    const [identity] = await sql.rows<[string]>('SELECT LOWER(HEX(id)) FROM deployment');
    const id = identity?.[0] as string;
    const deployment = new Deployment(world, receiver, client, sql, workers, id, settings);
    await until('every worker is registered and owns partitions', () => deployment.owns(components.length));
    return deployment;
  }

  /** The identity of its database when it was started. */
  get identity(): { readonly id: string } {
    return { id: this.id };
  }

  /** What a provider is given as the key of a message; its first plan unless another one is named. */
  keyOf(id: number, planNumber = 1): string {
    return idempotencyKey(this.id, id, planNumber);
  }

  /** The worker processes, by the order in which they were named. */
  get processes(): RunningWorker[] {
    return this.workers.workers();
  }

  /** Ends the nth process without warning; it is started again. */
  kill(index: number): void {
    const pid = this.processes[index]?.pid;
    if (pid === null || pid === undefined) throw new Error(`process ${index} does not run`);
    process.kill(pid, 'SIGKILL');
  }

  /** Ends the process of a bolt that is sending now. */
  async killSender(): Promise<void> {
    const senders = await this.sql.rows<[number]>(
      "SELECT w.pid FROM scheduled_messages m JOIN workers w ON w.session = m.claim WHERE m.state = 'sending' LIMIT 1",
    );
    const [pid] = senders[0] ?? [];
    const index = this.processes.findIndex((running) => running.pid === pid);
    if (index < 0) throw new Error('no bolt is sending');
    this.kill(index);
  }

  /**
   * Sends something through each worker and forgets it. Rows are claimed ahead of their instant only where answers are known
   * to come quickly, and a worker that has just started knows nothing yet.
   */
  async warmUp(): Promise<void> {
    const dueAt = systemClock.now();
    const payload = { url: `${this.receiver.url}/warm-up` };
    await this.client.schedule(
      Array.from({ length: 64 }, (_, n) => ({ account: `warm-up-${n}`, channel: 'webhook' as const, dueAt, payload })),
    );
    await this.settled();
    await this.clear();
  }

  /** Forgets all messages, and what the receiver has seen of them. */
  async clear(): Promise<void> {
    this.receiver.journal.length = 0;
    await this.sql.run('DELETE FROM delivery_attempts');
    await this.sql.run('DELETE FROM scheduled_messages');
  }

  /** Rows of all messages, by state. */
  async states(): Promise<Record<string, number>> {
    const rows = await this.sql.rows<[string, number]>('SELECT state, COUNT(*) FROM scheduled_messages GROUP BY state');
    return Object.fromEntries(rows);
  }

  /**
   * Resolves when no row is open any more.
   * @throws after `limit` milliseconds, saying which are
   */
  async settled(limit = 60_000): Promise<void> {
    const end = systemClock.monotonic() + limit;
    for (;;) {
      const { scheduled = 0, sending = 0 } = await this.states();
      if (scheduled + sending === 0) return;
      if (systemClock.monotonic() > end) throw new Error(`after ${limit} ms there are open rows: ${await this.open()}`);
      await systemClock.sleep(10);
    }
  }

  /**
   * The same, but what dead workers have left wakes as soon as it is put back. Workers wait until a provider can accept the request of a
   * dead one no more, which are minutes, and the fakes accept a request when it comes.
   */
  async settledAtOnce(limit = 60_000): Promise<void> {
    const ending = new AbortController();
    const waking = this.wake(ending.signal);
    await this.settled(limit).finally(() => ending.abort());
    await waking;
  }

  private async wake(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.sql.run(
        "UPDATE scheduled_messages SET retry_at=NULL, version=version+1 WHERE open=1 AND state='scheduled' AND recoveries > 0 " +
          "AND last_error='its worker died while sending' AND retry_at > UNIX_TIMESTAMP(NOW(3)) * 1000 + 1000",
      );
      await systemClock.sleep(500, signal).catch(() => undefined);
    }
  }

  /** Some of the rows that are open: channel, id, state, attempts, recoveries, doubt, milliseconds until it wakes, last error. */
  private async open(): Promise<string> {
    const rows = await this.sql.rows(
      `SELECT channel, id, state, attempts, recoveries, in_doubt, ROUND(wake_at - UNIX_TIMESTAMP(NOW(3))*1000), last_error
       FROM scheduled_messages WHERE open = 1 ORDER BY id LIMIT 20`,
    );
    return rows.map((row) => row.join(' ')).join(', ');
  }

  async close(): Promise<void> {
    const killed = await this.workers.stop(DRAIN);
    await this.client.close();
    await this.sql.close();
    await this.receiver.close();
    await this.world.close();
    if (killed.length > 0) throw new Error(`${killed.join(', ')} did not drain within ${DRAIN} ms`);
  }

  private async owns(count: number): Promise<boolean> {
    const rows = await this.sql.rows<[string | null]>('SELECT report FROM workers WHERE dead = 0');
    const owners = rows.filter(([report]) => {
      const { partitions = {} } = JSON.parse(report ?? '{}') as { partitions?: Record<string, number[]> };
      return Object.values(partitions).some((owned) => owned.length > 0);
    });
    return owners.length === count;
  }
}

function logFolderOf(environment: Environment): string {
  return join(testStackFolder, 'logs', environment.DOWNSPOUT_NAMESPACE);
}

/** Writes a topology.yaml of these components. @returns its path */
function writeTopology(environment: Environment, components: string): string {
  const folder = logFolderOf(environment);
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'topology.yaml');
  writeFileSync(file, `components: ${components}\n`);
  return file;
}

/** A target for worker processes, from `dist`. @param program what the component's name is the last argument of */
export function localTarget(
  environment: Environment,
  workers: readonly { readonly name: string; readonly component: string }[],
  settings: Readonly<Record<string, string>>,
  onEvent: (text: string) => void = () => undefined,
  program: readonly string[] = downspoutWorker,
): Supervisor {
  return new Supervisor({
    clock: systemClock,
    workers: workers.map(({ name, component }) => ({ name, args: [...program, component] })),
    settings,
    logFolder: logFolderOf(environment),
    onEvent,
  });
}

/** What a worker of the tests finds in its environment. */
export function workerSettings(environment: Environment): Record<string, string> {
  return { ...variablesOf(environment), WEBHOOK_ALLOW_PRIVATE_ADDRESSES: 'true' };
}
