import type { PlacementKey } from '../../../connectors/mysql/operators/placements';
import type { ObservedWorker } from '../../../connectors/mysql/schema/schema';
import { BackOff, CRASH_LOOP_DEATHS, LIVES_WELL_AFTER_MS } from './back-off';
import { type Generation, isSame, nextSteps, type PlacedProcess, type Standing, type Steps } from './next-steps';

/** A worker that is not ready by then is reported; it goes on trying, and so does the one that it is to replace. */
const READY_LIMIT_MS = 60_000;

/**
 * A new worker sends for so long beside the one that it replaces, milliseconds: its first partitions warm it before it has all
 * of them.
 */
const SIDE_BY_SIDE_MS = 2_000;

/** A worker process of a placement on this host. */
export interface SlotProcess extends PlacedProcess {
  readonly pid: number | null;
  phase: PlacedProcess['phase'];
  /** Monotonic milliseconds. */
  readonly startedAtMs: number;
  /** Once it has registered. */
  session: string | null;
  /** Why it is not ready, in its own words. */
  reasons: readonly string[];
}

/** How starting a generation has gone so far. */
interface Tries {
  readonly generation: Generation;
  readonly backOff: BackOff;
  /** Monotonic milliseconds. */
  notBeforeMs: number;
  lastError: string | null;
  /** It cannot be started on this host at all. */
  impossible: boolean;
}

/** A placement on this host: its processes, how often they died, and what to do next. Times are monotonic milliseconds. */
export class PlacementSlot<P extends SlotProcess> {
  readonly processes: P[] = [];
  standing: Standing = 'ours';
  /** The generation that was ready last. */
  private proven: Generation | null = null;
  private tries: Tries[] = [];
  /** When a process said first that it is ready. */
  private readonly readySinceMs = new Map<P, number>();

  private wanted: Generation;

  constructor(
    readonly key: PlacementKey,
    wanted: Generation,
    private readonly logFile: string,
  ) {
    this.wanted = generationOf(wanted);
  }

  /** Says which worker is to run. One that was tried before and given up is tried afresh when it is asked for again. */
  want(wanted: Generation): void {
    this.wanted = generationOf(wanted);
    this.tries = this.tries.filter((one) => isSame(one.generation, wanted) || isSame(one.generation, this.proven));
  }

  /** Whether another worker runs well here, and this one was not begun yet. */
  isToBeReplacedBy(wanted: Generation): boolean {
    const isBegun = this.processes.some((one) => isSame(one, wanted)) || this.triesOf(wanted) !== undefined;
    return this.proven !== null && !isSame(this.proven, wanted) && !isBegun;
  }

  steps(nowMs: number): Steps<P> {
    return nextSteps({
      standing: this.standing,
      wanted: this.wanted,
      proven: this.proven,
      processes: this.processes,
      mayStart: (generation) => (this.triesOf(generation)?.notBeforeMs ?? nowMs) <= nowMs,
    });
  }

  /** When there is something to start next because a back-off ends; null when there is nothing. */
  nextStartMs(nowMs: number): number | null {
    const later = this.tries.map(({ notBeforeMs }) => notBeforeMs).filter((at) => at > nowMs);
    return later.length === 0 || this.standing !== 'ours' ? null : Math.min(...later);
  }

  /** A process says that it is ready. @returns whether it counts as ready from now on */
  becameReady(process: P, nowMs: number): boolean {
    if (process.phase !== 'starting') return false;
    const sinceMs = this.readySinceMs.get(process) ?? nowMs;
    this.readySinceMs.set(process, sinceMs);
    const replaces = this.processes.some((one) => one !== process && one.phase === 'ready');
    if (replaces && nowMs - sinceMs < SIDE_BY_SIDE_MS) return false;
    process.phase = 'ready';
    if (this.proven === null || isSame(process, this.wanted)) this.proven = generationOf(process);
    return true;
  }

  /** Takes a process that was ready before this supervisor began. */
  adopted(process: P): void {
    this.processes.push(process);
    if (process.phase === 'ready') this.proven = generationOf(process);
  }

  /** @param how `by SIGKILL`, and what it said last @returns after how long it is started again; null when it was to end */
  died(process: P, how: string, nowMs: number): number | null {
    this.processes.splice(this.processes.indexOf(process), 1);
    this.readySinceMs.delete(process);
    if (process.phase === 'draining') return null;
    const tries = this.beginTries(generationOf(process));
    const delayMs = tries.backOff.died(nowMs - process.startedAtMs);
    tries.notBeforeMs = nowMs + delayMs;
    tries.lastError = how;
    return delayMs;
  }

  /** A generation that this host cannot run. @param retryMs when to look whether it can by then */
  cannotStart(generation: Generation, reason: string, retryAtMs: number): void {
    const tries = this.beginTries(generation);
    tries.lastError = reason;
    tries.notBeforeMs = retryAtMs;
    tries.impossible = true;
  }

  observed(nowMs: number): ObservedWorker {
    const active = this.processes.filter(({ phase }) => phase !== 'draining');
    const wanted = active.find((one) => isSame(one, this.wanted));
    const tries = this.triesOf(this.wanted);
    if (wanted !== undefined && nowMs - wanted.startedAtMs >= LIVES_WELL_AFTER_MS && wanted.phase === 'ready') {
      tries?.backOff.livesWell();
    }
    const shown = wanted?.phase === 'ready' ? wanted : (active.find((one) => one.phase === 'ready') ?? wanted);
    const generation = shown?.phase === 'ready' ? generationOf(shown) : this.proven;
    const isLate =
      wanted?.phase === 'starting' && !this.readySinceMs.has(wanted) && nowMs - wanted.startedAtMs >= READY_LIMIT_MS;
    return {
      releaseNumber: generation?.releaseNumber ?? null,
      restarts: generation?.restarts ?? null,
      session: shown?.session ?? null,
      pid: shown?.pid ?? null,
      wanted: generationOf(this.wanted),
      state: this.stateOf(wanted, isLate),
      deaths: this.deathsOf(this.wanted),
      lastError: isLate ? lateText(wanted) : (tries?.lastError ?? null),
      logFile: this.logFile,
    };
  }

  private stateOf(wanted: P | undefined, isLate: boolean): ObservedWorker['state'] {
    const tries = this.triesOf(this.wanted);
    if (isLate || (tries?.backOff.deaths ?? 0) >= CRASH_LOOP_DEATHS) return 'crash_looping';
    if (wanted === undefined) {
      if (tries?.impossible === true) return 'crash_looping';
      return tries === undefined ? 'starting' : 'waiting';
    }
    if (wanted.phase !== 'ready') return 'starting';
    return this.processes.length > 1 ? 'draining' : 'ready';
  }

  private deathsOf(generation: Generation): number {
    return this.triesOf(generation)?.backOff.deaths ?? 0;
  }

  private triesOf(generation: Generation): Tries | undefined {
    return this.tries.find((one) => isSame(one.generation, generation));
  }

  private beginTries(generation: Generation): Tries {
    const begun = this.triesOf(generation);
    if (begun !== undefined) return begun;
    const tries = { generation, backOff: new BackOff(), notBeforeMs: 0, lastError: null, impossible: false };
    this.tries.push(tries);
    return tries;
  }
}

function generationOf({ releaseNumber, restarts }: Generation): Generation {
  return { releaseNumber, restarts };
}

function lateText({ reasons }: SlotProcess): string {
  const why = reasons.length === 0 ? 'it has not said why' : reasons.join('; ');
  return `not ready after ${READY_LIMIT_MS / 1_000} s: ${why}`;
}
