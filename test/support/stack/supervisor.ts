import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { BackOff } from '../../../deploy/targets/local/back-off';
import { WorkerProcess } from '../../../deploy/targets/local/worker-process';
import type { Clock, Timer } from '../../../topology/core/clock';

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
  readonly backOff: BackOff;
  process: WorkerProcess | null;
  exited: Promise<void>;
  restarts: number;
  timer: Timer | null;
}

/**
 * Runs worker processes of tests, which choose program and settings of each; `downspout supervisor` is what runs them elsewhere.
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
      backOff: new BackOff(),
      process: null,
      exited: Promise.resolve(),
      restarts: 0,
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
      pid: slot.process?.pid ?? null,
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
    const ends = this.slots.map(async (slot) => {
      slot.timer?.cancel();
      slot.timer = null;
      const isKilled = (await slot.process?.end(limitMs)) === true;
      await slot.exited;
      return isKilled ? [slot.spec.name] : [];
    });
    return (await Promise.all(ends)).flat();
  }

  /** Leaves the processes running when this one ends. They are not started again any more. */
  release(): void {
    this.stopping = true;
    for (const slot of this.slots) {
      slot.timer?.cancel();
      slot.process?.release();
    }
  }

  private launch(slot: Slot): void {
    const { clock, settings } = this.options;
    const startedAt = clock.monotonic();
    const process = WorkerProcess.start({ args: slot.spec.args, settings, logFile: this.logFile(slot.spec) }, clock);
    slot.process = process;
    slot.exited = process.ended.then((how) => {
      slot.process = null;
      this.died(slot, how, startedAt);
    });
  }

  private died(slot: Slot, how: string, startedAt: number): void {
    if (this.stopping) return;
    const { clock } = this.options;
    const delayMs = slot.backOff.died(clock.monotonic() - startedAt);
    const { name } = slot.spec;
    this.options.onEvent?.(
      `${name} ended ${how}; starting it again in ${delayMs} ms (log: ${this.logFile(slot.spec)})`,
    );
    slot.timer = clock.after(delayMs, () => {
      slot.timer = null;
      slot.restarts += 1;
      this.launch(slot);
    });
  }

  private logFile(spec: WorkerSpec): string {
    return join(this.options.logFolder, `${spec.name}.log`);
  }
}
