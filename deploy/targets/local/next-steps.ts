/** Which worker of a placement: of which release, and the how-manieth of it. */
export interface Generation {
  readonly releaseNumber: number;
  readonly restarts: number;
}

export function isSame(one: Generation | null, other: Generation | null): boolean {
  return one?.releaseNumber === other?.releaseNumber && one?.restarts === other?.restarts;
}

/** A process of a placement on this host. */
export interface PlacedProcess extends Generation {
  readonly phase: 'starting' | 'ready' | 'draining';
}

/**
 * How a placement stands to this host. `ours`: it is run here. `elsewhere`: another supervisor has it, or may take it.
 * `ready_elsewhere`: there the wanted worker is ready. `gone`: nobody wants it any more.
 */
export type Standing = 'ours' | 'elsewhere' | 'ready_elsewhere' | 'gone';

export interface Situation<P extends PlacedProcess> {
  readonly standing: Standing;
  /** What the deployer asks for; it counts only when the placement is ours. */
  readonly wanted: Generation;
  /** The worker that was ready last, or null. */
  readonly proven: Generation | null;
  readonly processes: readonly P[];
  /** Whether the back-off of a generation lets it be started now. */
  readonly mayStart: (generation: Generation) => boolean;
}

export interface Steps<P> {
  readonly start: readonly Generation[];
  readonly drain: readonly P[];
}

/**
 * What to do next for a placement. A pure function.
 *
 * 1. *The new worker is ready before the old one drains*; until then the old one is started again if it dies.
 * 2. *A placement that is gone, or ready elsewhere, is drained here.*
 * 3. *What another supervisor has not made ready yet goes on here*, and is not started again.
 * 4. *One process at most of each generation*: of what is neither wanted nor proven, nothing stays.
 */
export function nextSteps<P extends PlacedProcess>(situation: Situation<P>): Steps<P> {
  const { standing, wanted, proven, processes, mayStart } = situation;
  const active = processes.filter(({ phase }) => phase !== 'draining');
  if (standing === 'gone' || standing === 'ready_elsewhere') return { start: [], drain: active };
  if (standing === 'elsewhere') return { start: [], drain: active.filter(({ phase }) => phase === 'starting') };
  const isReady = active.some((one) => isSame(one, wanted) && one.phase === 'ready');
  const kept = isReady || proven === null || isSame(proven, wanted) ? [wanted] : [wanted, proven];
  return {
    start: kept.filter((one) => !active.some((process) => isSame(process, one)) && mayStart(one)),
    drain: active.filter((process) => !kept.some((one) => isSame(process, one))),
  };
}
