import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import type { Profiler } from 'node:inspector';
import { join } from 'node:path';
import { systemClock } from '../../topology/core/clock';
import { packageRoot } from '../../topology/settings/package';
import type { Figures } from './figures';
import { cpuSecondsOf, type Usage, type Watched } from './process-usage';
import { IDLE, samplesByCause } from './profile-causes';

/** How long a process may take to begin a profile, or to write it down. */
const LIMIT_MS = 60_000;
/** Microseconds in a second. */
const MICROS = 1e6;

/** CPU time of one process between the instant at which a burst is due and its last arrival. */
export interface ProcessProfile {
  readonly name: string;
  /** Of the whole process, by the kernel's account. Microseconds per message of the burst. */
  readonly microsPerMessage: number;
  /** Of its main thread, by cause: the same account, shared out by the samples. Empty for what is not a process of Node's. */
  readonly causes: Readonly<Record<string, number>>;
  /** The share of samples in which the main thread had nothing to do, or undefined as above. */
  readonly idle?: number;
  /** The profile itself, for Chrome's developer tools or speedscope. */
  readonly file?: string;
}

export interface DrainProfile {
  readonly seconds: number;
  readonly processes: readonly ProcessProfile[];
  /**
   * CPU time of the profiled processes over the whole measurement, as a multiple of that in the round that is reported, which
   * nobody profiled.
   */
  readonly overhead: number;
}

interface Reading {
  /** Microseconds of CLOCK_MONOTONIC, by which samples are stamped. */
  readonly at: number;
  readonly cpu: readonly { readonly process: number; readonly mainThread: number }[];
}

/** Where a run of the benchmark leaves its profiles. */
export const PROFILES = join(packageRoot(), '.downspout', 'profiles');

/** Makes every process that is started from now on listen for the profiler. @param folder is emptied */
export function letProfile(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const hook = join(packageRoot(), 'dist', 'test', 'bench', 'profile-hook.js');
  process.env['BENCH_PROFILES'] = folder;
  process.env['NODE_OPTIONS'] = `${process.env['NODE_OPTIONS'] ?? ''} --require ${JSON.stringify(hook)}`.trim();
}

/** Profiles of one burst: of all processes that were started with the hook; of the others what they cost. */
export class BurstProfiler {
  private readonly listening: readonly Watched[];
  private begun: Reading | undefined;
  private ended: Reading | undefined;

  /** @param watched every process of the measurement. @throws when none was started with the hook */
  constructor(
    private readonly folder: string,
    private readonly watched: readonly Watched[],
  ) {
    this.listening = watched.filter(({ pid }) => existsSync(this.file(pid, 'listening')));
    if (this.listening.length === 0) throw new Error('no process of the measurement listens for the profiler');
  }

  /** Before the rows are written: beginning a profile takes a process up to a tenth of a second. @throws when one does not */
  start(): Promise<void> {
    return this.signal('started');
  }

  drainBegins(): void {
    this.begun = this.reading();
  }

  drainEnds(): void {
    this.ended = this.reading();
  }

  /** When everything is over, because a process that writes its profile down does nothing else. @throws when one does not */
  stop(): Promise<void> {
    return this.signal('cpuprofile');
  }

  /**
   * @param name of the burst, for the files
   * @param usage of the burst, and `plain` that of one without a profile
   */
  report(name: string, messages: number, usage: readonly Usage[], plain: readonly Usage[]): DrainProfile {
    const { begun, ended } = this;
    if (begun === undefined || ended === undefined) throw new Error('the drain was not marked');
    const processes = this.watched.map((one, n): ProcessProfile => {
      const micros = (which: 'process' | 'mainThread') =>
        (((ended.cpu[n]?.[which] ?? 0) - (begun.cpu[n]?.[which] ?? 0)) * MICROS) / messages;
      const whole = { name: one.name, microsPerMessage: micros('process'), causes: {} };
      if (!this.listening.includes(one)) return whole;
      const file = join(this.folder, `${name}-${one.name}.cpuprofile`);
      renameSync(this.file(one.pid, 'cpuprofile'), file);
      const profile = JSON.parse(readFileSync(file, 'utf8')) as Profiler.Profile;
      return { ...whole, ...shareOut(profile, [begun.at, ended.at], micros('mainThread')), file };
    });
    const names = new Set(this.listening.map((one) => one.name));
    const overhead = cpuOf(usage, names) / cpuOf(plain, names);
    return { seconds: (ended.at - begun.at) / MICROS, processes, overhead };
  }

  private reading(): Reading {
    const cpu = this.watched.map(({ pid }) => ({ process: cpuSecondsOf(pid), mainThread: cpuSecondsOf(pid, pid) }));
    return { at: Number(process.hrtime.bigint() / 1_000n), cpu };
  }

  private async signal(answer: 'started' | 'cpuprofile'): Promise<void> {
    for (const { pid } of this.listening) {
      rmSync(this.file(pid, answer), { force: true });
      process.kill(pid, 'SIGUSR2');
    }
    const until = systemClock.monotonic() + LIMIT_MS;
    for (const { name, pid } of this.listening) {
      while (!existsSync(this.file(pid, answer))) {
        if (systemClock.monotonic() > until) throw new Error(`${name}: no ${answer} within ${LIMIT_MS / 1_000} s`);
        await systemClock.sleep(10);
      }
    }
  }

  private file(pid: number, suffix: string): string {
    return join(this.folder, `${pid}.${suffix}`);
  }
}

/**
 * Measures one more burst, with a profile.
 * @param name for the files
 * @param plain the round that is reported
 */
export async function profiled(
  name: string,
  watched: readonly Watched[],
  plain: Figures,
  burst: (profiler: BurstProfiler) => Promise<Figures>,
): Promise<{ readonly figures: Figures; readonly profile: DrainProfile }> {
  const profiler = new BurstProfiler(PROFILES, watched);
  await profiler.start();
  const figures = await burst(profiler);
  await profiler.stop();
  return { figures, profile: profiler.report(name, figures.messages, figures.usage, plain.usage) };
}

/** A main thread's time by cause. @param micros what is shared out */
function shareOut(
  profile: Profiler.Profile,
  window: readonly [number, number],
  micros: number,
): Pick<Required<ProcessProfile>, 'causes' | 'idle'> {
  const samples = samplesByCause(profile, join(packageRoot(), 'dist', '/'), window);
  const idle = samples.get(IDLE) ?? 0;
  const all = [...samples.values()].reduce((sum, count) => sum + count, 0);
  const causes = [...samples]
    .filter(([cause]) => cause !== IDLE)
    .map(([cause, count]) => [cause, (count / (all - idle)) * micros] as const);
  return { causes: Object.fromEntries(causes), idle: all === 0 ? 0 : idle / all };
}

function cpuOf(usage: readonly Usage[], names: ReadonlySet<string>): number {
  return usage.filter(({ name }) => names.has(name)).reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0);
}
