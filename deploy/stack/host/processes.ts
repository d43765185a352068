import { execFileSync, spawn } from 'node:child_process';
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs';
import type { Clock } from '../../../topology/core/clock';
import { detachedEnvironment } from '../../../topology/settings/environment';

/** A process as it is remembered: its id alone is not enough, because ids are used again. */
export interface ProcessRecord {
  readonly pid: number;
  /** When the process began, as the system says it: an opaque text. */
  readonly started: string;
}

export interface Program {
  readonly command: string;
  readonly args: readonly string[];
  /** Further arguments for this one start. They may differ at the next, and the program is kept all the same. */
  readonly once?: readonly string[];
  readonly cwd: string;
  /** Standard output and error are appended here. */
  readonly logFile: string;
  /** What its configuration files say: when it changes, the program is started again. */
  readonly configuration: string;
  /** Beside what this process has in its own environment. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** Starts a program that outlives this process. @throws Error when it cannot be started at all */
export async function startDetached(program: Program): Promise<ProcessRecord> {
  const log = openSync(program.logFile, 'a');
  try {
    const child = spawn(program.command, [...program.args, ...(program.once ?? [])], {
      cwd: program.cwd,
      env: detachedEnvironment(program.environment ?? {}),
      detached: true,
      stdio: ['ignore', log, log],
    });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
    child.unref();
    const pid = child.pid as number;
    return { pid, started: startOf(pid) ?? 'gone' };
  } finally {
    closeSync(log);
  }
}

/** This process, as others find it. */
export function ownRecord(): ProcessRecord {
  return { pid: process.pid, started: startOf(process.pid) ?? 'unknown' };
}

/** A process that runs, as others find it; null when there is none. */
export function recordOf(pid: number): ProcessRecord | null {
  const started = startOf(pid);
  return started === null ? null : { pid, started };
}

/** Whether that very process still runs, and not another one with its id. */
export function stillRuns(record: ProcessRecord): boolean {
  return startOf(record.pid) === record.started;
}

/** The arguments of each process that runs, by its id. Elsewhere than on Linux an argument that holds blanks is several. */
export function commandLines(): ReadonlyMap<number, readonly string[]> {
  if (process.platform !== 'linux') return commandLinesByPs();
  const pids = readdirSync('/proc').map(Number).filter(Number.isInteger);
  return new Map(pids.map((pid) => [pid, commandLineOf(pid)]));
}

/**
 * Ends a process: SIGTERM, and SIGKILL when it has not ended within `graceMs`.
 * @returns how it went: it was `gone` already, it `ended`, or it was `killed`
 */
export async function endProcess(
  record: ProcessRecord,
  graceMs: number,
  clock: Clock,
): Promise<'gone' | 'ended' | 'killed'> {
  if (!stillRuns(record)) return 'gone';
  signalProcess(record, 'SIGTERM');
  const limit = clock.monotonic() + graceMs;
  while (clock.monotonic() < limit) {
    if (!stillRuns(record)) return 'ended';
    await clock.sleep(25);
  }
  signalProcess(record, 'SIGKILL');
  while (stillRuns(record)) await clock.sleep(25);
  return 'killed';
}

/** A process that is gone by now is no error. */
export function signalProcess(record: ProcessRecord, name: 'SIGTERM' | 'SIGKILL'): void {
  try {
    process.kill(record.pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** When a process began; null when there is none, or only what is left of one that ended. */
function startOf(pid: number): string | null {
  const fields = statOf(pid);
  if (fields === null) return process.platform === 'linux' ? null : startByPs(pid);
  // One thread may have ended while others still end, and hold files and ports until they have.
  const isOver = fields[0] === 'X' || (fields[0] === 'Z' && Number(fields[17]) <= 1);
  return isOver ? null : (fields[19] ?? null);
}

/** The session of a process: the id of the detached process that it descends from. Null when there is none, or no /proc. */
export function sessionOf(pid: number): number | null {
  const fields = statOf(pid);
  return fields === null ? null : Number(fields[3]);
}

/** What /proc says of a process, from its state on. */
function statOf(pid: number): string[] | null {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return null;
  }
  // The name, second, is in parentheses and may hold anything; what follows is separated by blanks.
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

function commandLineOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

function commandLinesByPs(): Map<number, string[]> {
  const lines = execFileSync('ps', ['-A', '-ww', '-o', 'pid=,args='], { encoding: 'utf8' }).trim().split('\n');
  return new Map(
    lines.map((line) => {
      const [pid, ...args] = line.trim().split(/\s+/);
      return [Number(pid), args];
    }),
  );
}

function startByPs(pid: number): string | null {
  try {
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim() || null;
  } catch {
    return null;
  }
}
