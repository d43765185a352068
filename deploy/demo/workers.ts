import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Status, WorkerStatus } from '../../connectors/mysql/operators/status';
import type { Clock } from '../../topology/core/clock';
import { UserError } from '../../topology/core/errors';
import { packageRoot } from '../../topology/settings/package';
import { replicasOf, type TopologySettings } from '../../topology/settings/topology-settings';
import { type RunningWorker, Supervisor } from '../supervisor';

const READY_LIMIT_MS = 60_000;
const POLL_MS = 200;
/** A worker that ended this often while starting will not start by being tried again. */
const MAX_RESTARTS = 3;
const LOG_LINES = 12;

export interface DemoWorkersOptions {
  readonly clock: Clock;
  readonly topology: TopologySettings;
  readonly settings: Readonly<Record<string, string>>;
  readonly stackFolder: string;
  readonly status: Status;
  readonly onEvent: (text: string) => void;
}

/** The demo's workers: as many processes for each component as topology.yaml says. */
export class DemoWorkers {
  private readonly supervisor: Supervisor;
  private readonly scrapeFile: string;

  constructor(private readonly options: DemoWorkersOptions) {
    const program = join(packageRoot(), 'dist', 'deploy', 'cli', 'downspout.js');
    this.scrapeFile = join(options.stackFolder, 'prometheus', 'targets', 'demo.json');
    this.supervisor = new Supervisor({
      clock: options.clock,
      workers: [...replicasOf(options.topology)].flatMap(([component, replicas]) =>
        Array.from({ length: replicas }, (_, index) => ({
          name: `${component}-${index + 1}`,
          args: [program, 'worker', '--component', component],
        })),
      ),
      settings: { ...options.settings, WEBHOOK_ALLOW_PRIVATE_ADDRESSES: 'true' },
      logFolder: join(options.stackFolder, 'logs'),
      onEvent: options.onEvent,
    });
  }

  start(): void {
    this.supervisor.start();
  }

  get pids(): number[] {
    return this.supervisor.workers().flatMap(({ pid }) => pid ?? []);
  }

  /** Where the workers' status is served. */
  async urls(): Promise<string[]> {
    return (await this.alive()).flatMap(({ statusUrl }) => statusUrl ?? []);
  }

  /** Those of the demo's workers that live, as the database knows them. */
  private async alive(): Promise<WorkerStatus[]> {
    const pids = new Set(this.pids);
    const workers = await this.options.status.workers();
    return workers.filter(({ state, pid }) => state === 'alive' && pids.has(pid));
  }

  /**
   * Waits until every worker runs and owns partitions, or the signal aborts.
   * @throws UserError with the end of a log, when one does not start
   */
  async ready(signal: AbortSignal): Promise<void> {
    const { clock } = this.options;
    const limit = clock.monotonic() + READY_LIMIT_MS;
    while (!signal.aborted) {
      const alive = await this.alive();
      const owning = alive.filter(({ partitions }) => Object.values(partitions).some((owned) => owned.length > 0));
      const all = this.supervisor.workers();
      if (owning.length === all.length) {
        this.tellPrometheus(alive);
        return;
      }
      const late =
        clock.monotonic() > limit ? all.find(({ pid }) => !owning.some((one) => one.pid === pid)) : undefined;
      const broken = all.find(({ restarts }) => restarts >= MAX_RESTARTS) ?? late;
      if (broken !== undefined) throw new UserError(notStarted(broken));
      await clock.sleep(POLL_MS, signal);
    }
  }

  /** Drains all. @returns the names of those that did not end in time */
  async stop(limit: number): Promise<string[]> {
    rmSync(this.scrapeFile, { force: true });
    return this.supervisor.stop(limit);
  }

  /** Leaves them running. */
  release(): void {
    this.supervisor.release();
  }

  private tellPrometheus(workers: readonly WorkerStatus[]): void {
    if (!existsSync(join(this.scrapeFile, '..'))) return;
    const targets = workers.flatMap(({ statusUrl }) => (statusUrl === null ? [] : new URL(statusUrl).host));
    writeFileSync(this.scrapeFile, `${JSON.stringify([{ targets }])}\n`);
  }
}

function notStarted({ name, logFile }: RunningWorker): string {
  const lines = readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-LOG_LINES);
  return `The worker ${name} does not start. The last lines of ${logFile}:\n${lines.join('\n')}`;
}
