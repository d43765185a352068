import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runningWorkers } from '../../../deploy/targets/local/host-state';
import { ownProgram } from '../../../deploy/targets/local/program';
import type { Environment } from '../../../topology/settings/environment';
import { until } from '../until';
import { workerSettings } from './deployment';

/** A host of the target `local`: a supervisor as `downspout supervisor` starts it, with a state folder of its own. */
export class Host {
  private supervisor: ChildProcess | null = null;

  private constructor(
    readonly folder: string,
    private readonly environment: Environment,
  ) {}

  static start(environment: Environment): Host {
    const host = new Host(mkdtempSync(join(tmpdir(), 'downspout-host-')), environment);
    mkdirSync(join(host.folder, 'logs'));
    host.start();
    return host;
  }

  /** Begins another life of the supervisor, in the same folder. */
  start(): void {
    const log = openSync(join(this.folder, 'logs', 'supervisor.log'), 'a');
    this.supervisor = spawn(process.execPath, [ownProgram(), 'supervisor', '--state', this.folder], {
      env: { PATH: process.env['PATH'], ...workerSettings(this.environment) },
      stdio: ['ignore', log, log],
    });
    closeSync(log);
  }

  get supervisorPid(): number | undefined {
    return this.supervisor?.pid;
  }

  /** Of its workers. */
  get pids(): readonly number[] {
    return runningWorkers(this.folder).map(({ pid }) => pid);
  }

  /** Ends the supervisor alone, without warning. */
  async killSupervisor(): Promise<void> {
    const { supervisor } = this;
    if (supervisor === null) return;
    this.supervisor = null;
    if (hasEnded(supervisor)) return;
    const over = once(supervisor, 'exit');
    supervisor.kill('SIGKILL');
    await over;
  }

  /** Ends the supervisor and its workers without warning, as a machine does that loses its power. */
  async die(): Promise<void> {
    const workers = this.pids;
    await this.killSupervisor();
    for (const pid of workers) killProcess(pid);
    await until('the host is dead', () => this.pids.length === 0);
  }

  /** Ends it in good order. @returns its exit code; 0 when it was killed before */
  async end(): Promise<number | null> {
    const { supervisor } = this;
    return supervisor === null ? 0 : ended(supervisor);
  }

  /** Ends it in good order, kills the workers that a supervisor which died has left, and removes its folder. It may be repeated. */
  async clear(): Promise<void> {
    await this.end();
    for (const pid of this.pids) killProcess(pid);
    this.remove();
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

async function ended(supervisor: ChildProcess): Promise<number | null> {
  if (hasEnded(supervisor)) return supervisor.exitCode;
  const over = once(supervisor, 'exit') as Promise<[number | null]>;
  supervisor.kill('SIGTERM');
  return (await over)[0];
}

function killProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended.
  }
}
