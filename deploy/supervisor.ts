import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock, Timer } from '../topology/core/clock';
import { childEnvironment } from '../topology/settings/environment';

/** The first delay before a process that died is started again; it doubles up to the cap. */
const FIRST_DELAY_MS = 250;
const MAX_DELAY_MS = 10_000;
/** After a process has lived this long, its next delay is the first one again. */
const WELL_AFTER_MS = 30_000;

/** What runs: one worker process, by name. */
export interface WorkerSpec {
  /** `due-1`: names the log file too. */
  readonly name: string;
  /** Arguments after the `node` executable. */
  readonly args: readonly string[];
}

export interface SupervisorOptions {
  readonly clock: Clock;
  readonly workers: readonly WorkerSpec[];
  /** What the processes find in their environment beside what this one has. */
  readonly settings: Readonly<Record<string, string>>;
  /** Where `<name>.log` is appended to. */
  readonly logFolder: string;
  /** A line for people: a process died, was started again. */
  readonly onEvent?: (text: string) => void;
}

/** A worker process as it is now. */
export interface RunningWorker {
  readonly name: string;
  /** Null while it waits to be started again. */
  readonly pid: number | null;
  readonly restarts: number;
  readonly logFile: string;
}

interface Slot {
  readonly spec: WorkerSpec;
  child: ChildProcess | null;
  exited: Promise<void>;
  restarts: number;
  delay: number;
  timer: Timer | null;
}

/**
 * Runs worker processes on one machine, where there is neither Docker Compose nor Kubernetes.
 *
 * 1. *A process that dies is started again*, at once at first and then with a delay that doubles.
 * 2. *Stopping drains*: every process gets SIGTERM and the time to finish; only what is left after that is killed.
 * 3. *Processes outlive this one only when released*: each has its own process group, so an interrupt at the terminal
 *    reaches them through `stop` alone.
 */
export class Supervisor {
  private readonly slots: Slot[];
  private stopping = false;

  constructor(private readonly options: SupervisorOptions) {
    this.slots = options.workers.map((spec) => ({
      spec,
      child: null,
      exited: Promise.resolve(),
      restarts: 0,
      delay: FIRST_DELAY_MS,
      timer: null,
    }));
  }

  start(): void {
    mkdirSync(this.options.logFolder, { recursive: true });
    for (const slot of this.slots) this.launch(slot);
  }

  workers(): RunningWorker[] {
    return this.slots.map((slot) => ({
      name: slot.spec.name,
      pid: slot.child?.pid ?? null,
      restarts: slot.restarts,
      logFile: this.logFile(slot.spec),
    }));
  }

  /**
   * SIGTERM to all, and SIGKILL to those that are still there after `limitMs`.
   * @returns the names of those that had to be killed
   */
  async stop(limitMs: number): Promise<string[]> {
    this.stopping = true;
    for (const slot of this.slots) {
      slot.timer?.cancel();
      slot.timer = null;
      slot.child?.kill('SIGTERM');
    }
    const all = Promise.all(this.slots.map((slot) => slot.exited));
    const waiting = new AbortController();
    await Promise.race([all, this.options.clock.sleep(limitMs, waiting.signal)]);
    waiting.abort();
    const left = this.slots.filter((slot) => slot.child !== null);
    for (const slot of left) slot.child?.kill('SIGKILL');
    await all;
    return left.map((slot) => slot.spec.name);
  }

  /** Leaves the processes running when this one ends. They are not started again any more. */
  release(): void {
    this.stopping = true;
    for (const slot of this.slots) {
      slot.timer?.cancel();
      slot.child?.unref();
    }
  }

  private launch(slot: Slot): void {
    const log = openSync(this.logFile(slot.spec), 'a');
    const startedAt = this.options.clock.monotonic();
    const child = spawn(process.execPath, slot.spec.args, {
      stdio: ['ignore', log, log],
      env: childEnvironment(this.options.settings),
      detached: true,
    });
    closeSync(log);
    slot.child = child;
    slot.exited = new Promise((resolve) => {
      let over = false;
      const ended = (how: string) => {
        if (over) return;
        over = true;
        slot.child = null;
        resolve();
        this.died(slot, how, startedAt);
      };
      child.once('exit', (code, signal) => ended(signal === null ? `with exit code ${code}` : `by ${signal}`));
      child.once('error', (error) => ended(`(${error.message})`));
    });
  }

  private died(slot: Slot, how: string, startedAt: number): void {
    if (this.stopping) return;
    if (this.options.clock.monotonic() - startedAt >= WELL_AFTER_MS) slot.delay = FIRST_DELAY_MS;
    const { name } = slot.spec;
    this.options.onEvent?.(
      `${name} ended ${how}; starting it again in ${slot.delay} ms (log: ${this.logFile(slot.spec)})`,
    );
    slot.timer = this.options.clock.after(slot.delay, () => {
      slot.timer = null;
      slot.restarts += 1;
      this.launch(slot);
    });
    slot.delay = Math.min(MAX_DELAY_MS, slot.delay * 2);
  }

  private logFile(spec: WorkerSpec): string {
    return join(this.options.logFolder, `${spec.name}.log`);
  }
}
