import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { ownRecord, type ProcessRecord, stillRuns } from '../../stack/host/processes';
import { writePrivate } from '../../stack/stack-state';
import { workersBySight } from './stray-workers';

const processSchema = z.object({
  component: z.string(),
  replica: z.int(),
  releaseNumber: z.int(),
  restarts: z.int(),
  phase: z.enum(['starting', 'ready', 'draining']),
  pid: z.int(),
  started: z.string(),
});
/** A worker process as it is remembered. */
export type RememberedProcess = Readonly<z.infer<typeof processSchema>>;

/** Of a worker that nobody remembers: none is wanted with it, so that it is replaced. */
const UNKNOWN_RESTARTS = -1;

const stateSchema = z.object({
  id: z.string().regex(/^[0-9a-f]{32}$/),
  host: z.string(),
  supervisor: z.object({ pid: z.int(), started: z.string() }).nullable(),
  /** The supervisor has reached the database and seen what is to run. */
  looked: z.boolean().default(false),
  processes: z.array(processSchema),
});
type State = Readonly<z.infer<typeof stateSchema>>;

/**
 * What a supervisor remembers in its state folder, so that its next life finds the workers of the last one.
 *
 * 1. *The supervisor of a state folder keeps its id from life to life*, and with it its placements; on another host the folder
 *    is a copy and gets an id of its own. A host whose name has changed is the same one while workers of it run.
 * 2. *Workers that outlived their supervisor are found again*, by process id and start time; one that it had not remembered yet
 *    when it died, or could not, by the command line.
 */
export class HostState {
  private readonly path: string;
  private state: State;

  constructor(
    readonly folder: string,
    host: string,
  ) {
    this.path = statePath(folder);
    const before = read(this.path);
    const isOurs = before !== null && (before.host === host || before.processes.some(stillRuns));
    const id = isOurs ? before.id : randomBytes(16).toString('hex');
    this.state = { id, host, supervisor: null, looked: false, processes: isOurs ? before.processes : [] };
  }

  get id(): string {
    return this.state.id;
  }

  /** Workers of the last life that still run. */
  get survivors(): readonly RememberedProcess[] {
    return runningOf(this.state);
  }

  /** Says that this process is the supervisor now, and what it runs. */
  write(processes: readonly RememberedProcess[]): void {
    this.save({ ...this.state, supervisor: ownRecord(), processes: [...processes] });
  }

  /** Says that this supervisor has seen what is to run. */
  looked(): void {
    this.save({ ...this.state, looked: true });
  }

  /** Says that no supervisor runs any more. @param left the workers that go on without one */
  close(left: readonly RememberedProcess[]): void {
    this.save({ ...this.state, supervisor: null, looked: false, processes: [...left] });
  }

  private save(state: State): void {
    this.state = state;
    writePrivate(this.path, `${JSON.stringify(state, null, 2)}\n`);
  }
}

/** The supervisor that runs in a state folder, or null. */
export function runningSupervisor(folder: string): ProcessRecord | null {
  const supervisor = read(statePath(folder))?.supervisor ?? null;
  return supervisor !== null && stillRuns(supervisor) ? supervisor : null;
}

/** Whether the supervisor that runs in a state folder has seen what is to run. */
export function hasLooked(folder: string): boolean {
  return runningSupervisor(folder) !== null && read(statePath(folder))?.looked === true;
}

/** Workers of a state folder that run, whether or not their supervisor does. */
export function runningWorkers(folder: string): readonly RememberedProcess[] {
  const state = read(statePath(folder));
  return state === null ? [] : runningOf(state);
}

function runningOf({ id, processes }: State): RememberedProcess[] {
  const remembered = processes.filter(stillRuns);
  const isRemembered = (pid: number) => remembered.some((one) => one.pid === pid);
  const strays = workersBySight(id).filter(({ pid }) => !isRemembered(pid));
  return [...remembered, ...strays.map((one) => ({ ...one, restarts: UNKNOWN_RESTARTS, phase: 'starting' as const }))];
}

function statePath(folder: string): string {
  return join(folder, 'supervisor.json');
}

/** The file is written whole or not at all; one that cannot be read is of nobody's making, and nothing is known of before. */
function read(path: string): State | null {
  try {
    return stateSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    return null;
  }
}
