import { readFileSync } from 'node:fs';

/** A process of the benchmark, by what it does. */
export interface Watched {
  readonly name: string;
  readonly pid: number;
}

/** `webhook` of `webhook-2`. */
export function componentOf(name: string): string {
  return name.replace(/-\d+$/, '');
}

export interface Usage {
  readonly name: string;
  /** User and system time since the reading before, seconds. */
  readonly cpuSeconds: number;
  /** Highest resident memory in the process's life, bytes. */
  readonly peakBytes: number;
}

/** Clock ticks per second: USER_HZ, 100 on every Linux that Node runs on. */
const TICKS = 100;

/** What processes cost from now on, as Linux accounts it. Those that ended meanwhile are left out. */
export class UsageMeter {
  private readonly before: readonly (Watched & { readonly ticks: number })[];

  constructor(watched: readonly Watched[]) {
    this.before = watched.flatMap((one) => {
      const reading = readingOf(one.pid);
      return reading === null ? [] : [{ ...one, ticks: reading.ticks }];
    });
  }

  read(): Usage[] {
    return this.before.flatMap(({ name, pid, ticks }) => {
      const now = readingOf(pid);
      if (now === null) return [];
      return [{ name, cpuSeconds: (now.ticks - ticks) / TICKS, peakBytes: now.peakBytes }];
    });
  }
}

function readingOf(pid: number): { readonly ticks: number; readonly peakBytes: number } | null {
  try {
    return { ticks: ticksOf(`/proc/${pid}/stat`), peakBytes: peakOf(pid) };
  } catch {
    return null;
  }
}

/** User and system time of a process so far, or of one of its threads; seconds. @throws when it has ended */
export function cpuSecondsOf(pid: number, thread?: number): number {
  return ticksOf(thread === undefined ? `/proc/${pid}/stat` : `/proc/${pid}/task/${thread}/stat`) / TICKS;
}

/** utime + stime, see proc_pid_stat(5). */
function ticksOf(file: string): number {
  const stat = readFileSync(file, 'utf8');
  // The name may hold blanks and parentheses; the fields are counted from behind it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

/** VmHWM, see proc_pid_status(5). */
function peakOf(pid: number): number {
  const match = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return match === null ? 0 : Number(match[1]) * 1_024;
}
