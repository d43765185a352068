import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { placementName } from '../../../connectors/mysql/operators/placements';
import type { Clock } from '../../../topology/core/clock';
import { sizeOf } from '../../stack/host/part-log';
import type { ProcessRecord } from '../../stack/host/processes';
import type { RememberedProcess } from './host-state';
import { lastWords, rotateLog, SUPERVISOR_LOG } from './log-rotation';
import type { Generation } from './next-steps';
import type { PlacementSlot, SlotProcess } from './placement-slot';
import type { Launch, WorkerProcess } from './worker-process';

/** What is needed of a process. */
export type HostProcess = Pick<WorkerProcess, 'record' | 'pid' | 'ended' | 'end' | 'release'>;

/** Starts processes; tests have others. */
export interface ProcessMaker {
  start(launch: Launch): HostProcess;
  adopt(record: ProcessRecord): HostProcess;
}

/** A worker process of a placement. */
export interface HostWorker extends SlotProcess {
  readonly component: string;
  readonly replica: number;
  readonly process: HostProcess;
  /** How long its log was when it began. */
  readonly logFrom: number;
}

export interface HostWorkersOptions {
  readonly clock: Clock;
  readonly maker: ProcessMaker;
  readonly logFolder: string;
  /** What workers find in their environment beside what this process has. */
  readonly settings: Readonly<Record<string, string>>;
  /** Called after a worker ended; `restartMs` is null when it was to end. */
  readonly onEnd: (worker: HostWorker, how: string, restartMs: number | null) => void;
}

/** The worker processes of this host: starts them with their logs, drains them, and tells their slots how they ended. */
export class HostWorkers {
  private readonly running = new Map<HostWorker, Promise<void>>();
  /** Workers of the last life that drain, and of which nobody has said yet how long they may. */
  private readonly unbounded = new Set<HostWorker>();

  constructor(private readonly options: HostWorkersOptions) {
    mkdirSync(options.logFolder, { recursive: true });
  }

  get all(): readonly HostWorker[] {
    return [...this.running.keys()];
  }

  /** What is to be remembered of them. */
  get remembered(): readonly RememberedProcess[] {
    return this.all.flatMap(({ process, component, replica, releaseNumber, restarts, phase }) =>
      process.record === null ? [] : [{ component, replica, releaseNumber, restarts, phase, ...process.record }],
    );
  }

  logFile(key: { readonly component: string; readonly replica: number }): string {
    return join(this.options.logFolder, `${placementName(key)}.log`);
  }

  start(slot: PlacementSlot<HostWorker>, generation: Generation, args: readonly string[]): void {
    const { clock, maker, settings } = this.options;
    const logFile = this.logFile(slot.key);
    const logFrom = sizeOf(logFile);
    const process = maker.start({ args, settings, logFile });
    const worker: HostWorker = {
      ...slot.key,
      ...generation,
      process,
      pid: process.pid,
      phase: 'starting',
      startedAtMs: clock.monotonic(),
      session: null,
      reasons: [],
      logFrom,
    };
    slot.processes.push(worker);
    this.watch(slot, worker);
  }

  /** Takes over a worker of the last life. */
  adopt(slot: PlacementSlot<HostWorker>, remembered: RememberedProcess): void {
    const { clock, maker } = this.options;
    const { component, replica, releaseNumber, restarts, phase, pid, started } = remembered;
    const process = maker.adopt({ pid, started });
    const logFrom = sizeOf(this.logFile(slot.key));
    const worker: HostWorker = {
      component,
      replica,
      releaseNumber,
      restarts,
      phase,
      pid,
      process,
      logFrom,
      startedAtMs: clock.monotonic(),
      session: null,
      reasons: [],
    };
    slot.adopted(worker);
    this.watch(slot, worker);
    if (phase === 'draining') this.unbounded.add(worker);
  }

  /** @param graceMs after how long a worker that was draining in the last life is killed */
  boundAdopted(graceMs: (worker: HostWorker) => number): void {
    for (const worker of this.unbounded) void worker.process.end(graceMs(worker), true);
    this.unbounded.clear();
  }

  /** Has a worker finish what it has begun. @param graceMs how long that may take before it is killed */
  drain(worker: HostWorker, graceMs: number): void {
    worker.phase = 'draining';
    void worker.process.end(graceMs);
  }

  /** Resolves when all have ended. */
  async ended(): Promise<void> {
    await Promise.all(this.running.values());
  }

  /** Leaves them running when this process ends. */
  release(): void {
    for (const { process } of this.all) process.release();
  }

  /** Also that of this process, which is there when it was detached. */
  rotateLogs(): void {
    rotateLog(join(this.options.logFolder, SUPERVISOR_LOG));
    for (const worker of this.all) rotateLog(this.logFile(worker));
  }

  private watch(slot: PlacementSlot<HostWorker>, worker: HostWorker): void {
    const over = worker.process.ended.then((how) => {
      this.running.delete(worker);
      this.unbounded.delete(worker);
      const words = lastWords(this.logFile(worker), worker.logFrom);
      const said = `ended ${how}${words === null ? '' : `: ${words}`}`;
      const restartMs = slot.died(worker, said, this.options.clock.monotonic());
      this.options.onEnd(worker, how, restartMs);
    });
    this.running.set(worker, over);
  }
}
