import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../../topology/core/clock';
import { UserError } from '../../../topology/core/errors';
import { endOfLog, sizeOf } from '../../stack/host/part-log';
import { endProcess } from '../../stack/host/processes';
import { stackFolder } from '../../stack/stack-folder';
import { hasLooked, type RememberedProcess, runningSupervisor, runningWorkers } from './host-state';
import { SUPERVISOR_LOG } from './log-rotation';
import { ownProgram } from './program';
import { logFolderOf } from './run-supervisor';
import { WorkerProcess } from './worker-process';

const START_LIMIT_MS = 30_000;
const LOOK_EVERY_MS = 50;
/** A supervisor that drains waits for its workers, which bound that themselves; a request may take an hour. */
const STOP_LIMIT_MS = 3_700_000;

export interface DetachOptions {
  readonly folder: string;
  readonly clock: Clock;
  /** Leaves the workers running at the end. */
  readonly releaseWorkers?: boolean;
  /** Where its workers serve their status; on this host alone unless given. */
  readonly statusHost?: string | undefined;
}

export interface DetachedSupervisor {
  readonly pid: number;
  /** False when it ran already. */
  readonly isNew: boolean;
  readonly logFile: string;
}

/** Where a host keeps what its supervisor remembers, unless told otherwise. */
export function defaultStateFolder(): string {
  return join(stackFolder(), 'workers');
}

/**
 * Makes sure that a supervisor runs in the folder, and returns when it has seen what is to run, or waits for the database; it
 * outlives this process. It and its workers read
 * their settings as this process did: from the environment, and for what that does not set from the local stack.
 * @throws UserError with the end of its log when it does not start
 */
export async function detachSupervisor(options: DetachOptions): Promise<DetachedSupervisor> {
  const { folder, clock } = options;
  const logFolder = logFolderOf(folder);
  const logFile = join(logFolder, SUPERVISOR_LOG);
  const running = runningSupervisor(folder);
  if (running !== null) return { pid: running.pid, isNew: false, logFile };
  mkdirSync(logFolder, { recursive: true });
  const from = sizeOf(logFile);
  const started = WorkerProcess.start({ args: supervisorArguments(options), settings: {}, logFile }, clock);
  const over = started.ended.then((how) => how);
  let ended: string | null = null;
  void over.then((how) => {
    ended = how;
  });
  const limit = clock.monotonic() + START_LIMIT_MS;
  while (clock.monotonic() < limit) {
    if (hasLooked(folder) || ended !== null) break;
    await clock.sleep(LOOK_EVERY_MS);
  }
  started.release();
  const now = runningSupervisor(folder);
  if (now !== null) return { pid: now.pid, isNew: now.pid === started.pid, logFile };
  const how = ended === null ? `is not there after ${START_LIMIT_MS / 1_000} s` : `ended ${ended as string}`;
  throw new UserError(`The supervisor ${how}. The last lines of ${logFile}:\n${endOfLog(logFile, from)}`);
}

/** @internal for tests */
export function supervisorArguments({
  folder,
  releaseWorkers = false,
  statusHost,
}: Omit<DetachOptions, 'clock'>): string[] {
  return [
    ownProgram(),
    'supervisor',
    '--state',
    folder,
    ...(releaseWorkers ? ['--release-workers'] : []),
    ...(statusHost === undefined ? [] : ['--status-host', statusHost]),
  ];
}

/** Ends the supervisor of a folder and its workers in good order, and workers that a dead one left. */
export async function stopSupervisor(
  folder: string,
  clock: Clock,
): Promise<{ readonly supervisor: number | null; readonly workers: number }> {
  const supervisor = runningSupervisor(folder);
  const workers = runningWorkers(folder).length;
  if (supervisor !== null) await endProcess(supervisor, STOP_LIMIT_MS, clock);
  // A second SIGTERM would end one that drains at once.
  const end = (one: RememberedProcess) => WorkerProcess.adopt(one, clock).end(STOP_LIMIT_MS, one.phase === 'draining');
  await Promise.all(runningWorkers(folder).map(end));
  return { supervisor: supervisor?.pid ?? null, workers };
}
