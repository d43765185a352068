import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { ownRecord, type ProcessRecord, stillRuns } from '../../stack/host/processes';
import { writePrivate } from '../../stack/stack-state';

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

const stateSchema = z.object({
  id: z.string().regex(/^[0-9a-f]{32}$/),
  host: z.string(),
  supervisor: z.object({ pid: z.int(), started: z.string() }).nullable(),
  processes: z.array(processSchema),
});
type State = Readonly<z.infer<typeof stateSchema>>;

/**
 * What a supervisor remembers in its state folder, so that its next life finds the workers of the last one.
 *
 * 1. *The supervisor of a state folder keeps its id from life to life*, and with it its placements; on another host the folder
 *    is a copy and gets an id of its own.
 * 2. *Workers that outlived their supervisor are found again*, by process id and start time.
 */
export class HostState {
  private readonly path: string;
  private state: State;

  constructor(
    readonly folder: string,
    private readonly host: string,
  ) {
    this.path = statePath(folder);
    const before = read(this.path);
    this.state =
      before?.host === host ? before : { id: randomBytes(16).toString('hex'), host, supervisor: null, processes: [] };
  }

  get id(): string {
    return this.state.id;
  }

  /** Workers of the last life that still run. */
  get survivors(): readonly RememberedProcess[] {
    return this.state.processes.filter(stillRuns);
  }

  /** Says that this process is the supervisor now, and what it runs. */
  write(processes: readonly RememberedProcess[]): void {
    this.save({ id: this.id, host: this.host, supervisor: ownRecord(), processes: [...processes] });
  }

  /** Says that no supervisor runs any more. @param left the workers that go on without one */
  close(left: readonly RememberedProcess[]): void {
    this.save({ id: this.id, host: this.host, supervisor: null, processes: [...left] });
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

/** Workers of a state folder that run, whether or not their supervisor does. */
export function runningWorkers(folder: string): readonly RememberedProcess[] {
  return read(statePath(folder))?.processes.filter(stillRuns) ?? [];
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
