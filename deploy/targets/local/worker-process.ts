import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import type { Clock } from '../../../topology/core/clock';
import { detachedEnvironment } from '../../../topology/settings/environment';
import { type ProcessRecord, recordOf, signalProcess, stillRuns } from '../../stack/host/processes';

/** How often it is looked whether a process that is nobody's child here still runs. */
const LOOK_EVERY_MS = 100;

export interface Launch {
  /** Arguments after the `node` executable. */
  readonly args: readonly string[];
  /** What it finds in its environment beside what this process has. */
  readonly settings: Readonly<Record<string, string>>;
  /** Standard output and error are appended here. */
  readonly logFile: string;
}

/**
 * One process of a worker: the only way in which workers are started on a machine without Compose or Kubernetes. It has a
 * process group of its own, so an interrupt at the terminal does not reach it, and it outlives whoever started it.
 */
export class WorkerProcess {
  private constructor(
    /** Null when it could not be started at all. */
    readonly record: ProcessRecord | null,
    private readonly clock: Clock,
    /** Resolves when it has ended, with how: `with exit code 1`, `by SIGKILL`. */
    readonly ended: Promise<string>,
    private readonly letGo: AbortController,
  ) {}

  static start({ args, settings, logFile }: Launch, clock: Clock): WorkerProcess {
    const log = openSync(logFile, 'a');
    try {
      const child = spawn(process.execPath, args, {
        stdio: ['ignore', log, log],
        env: detachedEnvironment(settings),
        detached: true,
      });
      const ended = new Promise<string>((resolve) => {
        child.once('exit', (code, signal) => resolve(signal === null ? `with exit code ${code}` : `by ${signal}`));
        child.once('error', (error) => resolve(`before it began (${error.message})`));
      });
      const record = child.pid === undefined ? null : recordOf(child.pid);
      const letGo = new AbortController();
      letGo.signal.addEventListener('abort', () => child.unref(), { once: true });
      return new WorkerProcess(record, clock, ended, letGo);
    } finally {
      closeSync(log);
    }
  }

  /** A process that somebody else has started, and that may have ended by now. */
  static adopt(record: ProcessRecord, clock: Clock): WorkerProcess {
    const letGo = new AbortController();
    const watch = async () => {
      while (stillRuns(record)) {
        await clock.sleep(LOOK_EVERY_MS, letGo.signal);
        // Nobody waits for it any more.
        if (letGo.signal.aborted) return new Promise<string>(() => undefined);
      }
      return 'in a way that nobody saw';
    };
    return new WorkerProcess(record, clock, watch(), letGo);
  }

  get pid(): number | null {
    return this.record?.pid ?? null;
  }

  /** Lets this process end although that one runs, or is still to end. */
  release(): void {
    this.letGo.abort();
  }

  /**
   * SIGTERM, and SIGKILL when it has not ended within `graceMs`.
   * @param isAsked it got its SIGTERM before; a second one would end it at once
   * @returns whether it had to be killed
   */
  async end(graceMs: number, isAsked = false): Promise<boolean> {
    if (this.record === null || !stillRuns(this.record)) return false;
    if (!isAsked) signalProcess(this.record, 'SIGTERM');
    const limit = new AbortController();
    const inTime = await Promise.race([
      this.ended.then(() => true),
      this.clock.sleep(graceMs, AbortSignal.any([limit.signal, this.letGo.signal])).then(() => false),
    ]);
    limit.abort();
    if (inTime || this.letGo.signal.aborted) return false;
    if (stillRuns(this.record)) signalProcess(this.record, 'SIGKILL');
    await this.ended;
    return true;
  }
}
