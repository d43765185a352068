import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DeployLock } from '../../connectors/mysql/operators/deploy-lock';
import { listPlacements, listSupervisors, removePlacement } from '../../connectors/mysql/operators/placements';
import {
  currentRelease,
  findRelease,
  finishRelease,
  type Release,
  unfinishedReleases,
} from '../../connectors/mysql/operators/releases';
import { Status } from '../../connectors/mysql/operators/status';
import { listWorkers, type WorkerStatus } from '../../connectors/mysql/operators/worker-status';
import { Pool } from '../../connectors/mysql/sql/pool';
import type { Clock } from '../../topology/core/clock';
import { Unavailable, UserError } from '../../topology/core/errors';
import { operatorUrl } from '../../topology/settings/connections';
import { childEnvironment, readEnvironment } from '../../topology/settings/environment';
import { stopSupervisor } from '../targets/local/detached';
import { HostState, runningWorkers } from '../targets/local/host-state';
import { ownProgram } from '../targets/local/program';

const LOOK_EVERY_MS = 200;
/** Of what `deploy` says, shown when it fails. */
const LAST_LINES = 15;
const OVER = 'the demo is over';
/** Who has deployed, as the demo's releases say it, and no user is called: what others have deployed is never taken back. */
const WHO = 'downspout demo';

export interface DemoWorkersOptions {
  readonly clock: Clock;
  /** Connection settings of a stack that runs. */
  readonly settings: Readonly<Record<string, string>>;
  readonly stackFolder: string;
  /** Of the operators' user. */
  readonly pool: Pool;
  /** A line for people: what `deploy` does, or that a worker died. */
  readonly onEvent: (text: string) => void;
}

/**
 * The demo's workers: what topology.yaml says, as `downspout deploy --target local` runs it. Their supervisor has a state folder
 * of its own, so that one demo finds and ends what an earlier one left.
 */
export class DemoWorkers {
  private readonly folder: string;
  private died = 0;

  constructor(private readonly options: DemoWorkersOptions) {
    this.folder = demoFolder(options.stackFolder);
  }

  get pids(): number[] {
    return runningWorkers(this.folder).map(({ pid }) => pid);
  }

  /** How many have died since they are watched. */
  get deaths(): number {
    return this.died;
  }

  /**
   * Deploys them and returns when all are ready, or in good order after the signal.
   * @throws UserError when other workers run on this stack: they would take the demo's messages and not send to this machine
   * @throws UserError with what `deploy` said last, when it fails
   */
  async deploy(signal: AbortSignal): Promise<void> {
    await this.refuseOthers();
    const { settings, onEvent } = this.options;
    const args = [ownProgram(), 'deploy', '--target', 'local', '--yes', '--pause', '0s', '--state', this.folder];
    // In a process group of its own: the demo decides what an interrupt at the terminal ends, and in which order.
    const child = spawn(process.execPath, args, {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: childEnvironment({ ...settings, WEBHOOK_ALLOW_PRIVATE_ADDRESSES: 'true', DOWNSPOUT_WHO: WHO }),
      detached: true,
    });
    const said: string[] = [];
    createInterface({ input: child.stderr }).on('line', (line) => {
      said.push(line);
      onEvent(`  ${line}`);
    });
    const code = await endOf(child, signal);
    if (code !== 0 && !signal.aborted) {
      throw new UserError(
        `The workers were not deployed. \`deploy\` said last:\n${said.slice(-LAST_LINES).join('\n')}`,
      );
    }
  }

  /** Where the workers' status is served. */
  async urls(): Promise<string[]> {
    const pids = new Set(this.pids);
    const workers = await listWorkers(this.options.pool);
    const isOurs = ({ state, pid }: WorkerStatus) => state === 'alive' && pids.has(pid);
    return workers.filter(isOurs).flatMap(({ statusUrl }) => statusUrl ?? []);
  }

  /** Tells of each worker that dies and of the one that runs in its place, until the signal aborts. */
  async watch(signal: AbortSignal): Promise<void> {
    const { clock, onEvent } = this.options;
    const known = new Map<string, number>();
    while (!signal.aborted) {
      for (const { component, replica, pid } of runningWorkers(this.folder)) {
        const name = `${component}-${replica}`;
        const before = known.get(name) ?? pid;
        if (before !== pid) {
          this.died++;
          onEvent(`${name} died (process ${before}) and runs again (process ${pid})`);
        }
        known.set(name, pid);
      }
      await clock.sleep(LOOK_EVERY_MS, signal);
    }
  }

  /** Drains them and ends their supervisor; nothing of the demo is left to run. */
  async stop(): Promise<void> {
    const { clock, pool, stackFolder } = this.options;
    await stopSupervisor(demoFolder(stackFolder), clock);
    await takeBack(pool, clock);
  }

  private async refuseOthers(): Promise<void> {
    const { pool } = this.options;
    const { id: own } = new HostState(this.folder, hostname());
    const now = await new Status(pool).now();
    const others = (await listSupervisors(pool)).filter(
      ({ id, leftAt, leaseUntil }) => id !== own && leftAt === null && leaseUntil >= now,
    );
    if (others.length > 0) {
      const hosts = others.map(({ host }) => host).join(', ');
      throw taken(`by a supervisor on ${hosts}`, 'end them first with `downspout supervisor --stop`');
    }
    const [release] = (await deployedOn(pool)).others;
    if (release !== undefined)
      throw taken(`by ${release.who} (release ${release.number})`, 'end them first with `downspout kill`');
  }
}

/**
 * Drains the workers that an earlier demo has left, and takes back that they are to run.
 * @param settings of the stack: connection settings, none when there is no stack
 * @returns how many there were
 */
export async function stopDemoWorkers(
  stackFolder: string,
  settings: Readonly<Record<string, string>>,
  clock: Clock,
): Promise<number> {
  const { supervisor, workers } = await stopSupervisor(demoFolder(stackFolder), clock);
  if (supervisor === null && workers === 0) return 0;
  const environment = readEnvironment(settings, {});
  if (environment.WORKER_DATABASE_URL === undefined) return workers;
  const pool = Pool.open(operatorUrl(environment), { clock, size: 2 });
  try {
    await takeBack(pool, clock);
  } catch (error) {
    // They were stopped; without its database nothing asks for them.
    if (!(error instanceof Unavailable)) throw error;
  } finally {
    await pool.close();
  }
  return workers;
}

/** How many workers of an earlier demo run. */
export function demoWorkersOf(stackFolder: string): number {
  return runningWorkers(demoFolder(stackFolder)).length;
}

/** Nothing of the demo is to run any more, and its release is not live: another verb finds the stack as it was. */
async function takeBack(pool: Pool, clock: Clock): Promise<void> {
  const lock = await DeployLock.take(pool, clock, { who: WHO, host: hostname(), doing: 'end of the demo' });
  try {
    const { own } = await deployedOn(pool);
    const numbers = new Set(own.map(({ number }) => number));
    const placements = (await listPlacements(pool)).filter(({ releaseNumber }) => numbers.has(releaseNumber));
    await lock.transaction(async (sql) => {
      for (const one of placements) await removePlacement(sql, one);
      for (const { number, outcome } of own) {
        if (outcome === 'live') await finishRelease(sql, number, 'superseded', OVER);
        else if (outcome === 'deploying') await finishRelease(sql, number, 'failed', OVER);
      }
    });
  } finally {
    await lock.free();
  }
}

/** Releases that are live, or being deployed, or of which workers are to run: those of demos, and those of others. */
async function deployedOn(
  pool: Pool,
): Promise<{ readonly own: readonly Release[]; readonly others: readonly Release[] }> {
  const live = await currentRelease(pool);
  const releases = new Map((await unfinishedReleases(pool)).map((one) => [one.number, one]));
  if (live !== null) releases.set(live.number, live);
  for (const { releaseNumber } of await listPlacements(pool)) {
    const release = releases.get(releaseNumber) ?? (await findRelease(pool, releaseNumber));
    if (release !== null) releases.set(releaseNumber, release);
  }
  const all = [...releases.values()];
  return { own: all.filter(({ who }) => who === WHO), others: all.filter(({ who }) => who !== WHO) };
}

function taken(by: string, remedy: string): UserError {
  return new UserError(
    `Workers were deployed on this stack already, ${by}. The demo needs the stack for itself: ${remedy}.`,
  );
}

export function demoFolder(stackFolder: string): string {
  return join(stackFolder, 'demo');
}

/** @returns its exit code, after SIGTERM when the signal aborts */
async function endOf(child: ChildProcess, signal: AbortSignal): Promise<number | null> {
  const end = () => child.kill('SIGTERM');
  signal.addEventListener('abort', end, { once: true });
  if (signal.aborted) end();
  try {
    const [code] = (await once(child, 'close')) as [number | null];
    return code;
  } finally {
    signal.removeEventListener('abort', end);
  }
}
