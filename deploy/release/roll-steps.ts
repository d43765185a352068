import type { PlacementKey, PlacementRow } from '../../connectors/mysql/operators/placements';
import { SPOUT } from '../../topology/streams';

/** One change of what is to run. */
export interface RollStep extends PlacementKey {
  /**
   * `start`: there is none yet. `replace`: by one of another release, `restart`: by one of the same; the new one is ready
   * before the old one drains. `end`: it drains.
   */
  readonly kind: 'start' | 'replace' | 'restart' | 'end';
  /** The release to run, where it is not that of the roll. */
  readonly releaseNumber?: number;
}

/** Steps of a group are made together, and the next group begins when they are done. */
export interface RollSteps {
  /** The first workers that are replaced: the roll pauses after them. */
  readonly canaries: readonly (readonly RollStep[])[];
  readonly others: readonly (readonly RollStep[])[];
}

/**
 * How to come from the workers that are asked for to those that are to be: first one worker after another is replaced, then
 * what is new starts at once, and then what is too much drains, one after another. Bolts come before the spout, because who
 * reads a stream has to know what a newer writer says.
 * @param replicas how many workers each component is to have
 * @param isUpToDate whether a worker that is asked for may stay as it is
 * @param canaries of each component
 */
export function rollSteps(
  placements: readonly PlacementRow[],
  replicas: ReadonlyMap<string, number>,
  isUpToDate: (placement: PlacementRow) => boolean,
  canaries: number,
): RollSteps {
  const kept = placements.filter(({ component, replica }) => replica <= (replicas.get(component) ?? 0));
  const replaced = inOrder(kept.filter((one) => !isUpToDate(one))).map((one) => step('replace', one));
  const isThere = new Set(kept.map(nameOf));
  const started = [...replicas].flatMap(([component, count]) =>
    Array.from({ length: count }, (_, index) => ({ component, replica: index + 1 })).filter(
      (one) => !isThere.has(nameOf(one)),
    ),
  );
  const ended = placements.filter((one) => !kept.includes(one)).toReversed();
  const first = replaced.filter(
    (one, index) => replaced.slice(0, index).filter(({ component }) => component === one.component).length < canaries,
  );
  return {
    canaries: first.map((one) => [one]),
    others: [
      ...replaced.filter((one) => !first.includes(one)).map((one) => [one]),
      ...(started.length === 0 ? [] : [inOrder(started).map((one) => step('start', one))]),
      ...inOrder(ended).map((one) => [step('end', one)]),
    ],
  };
}

/** Replaces workers by new ones of the same release, one after another. */
export function restartSteps(placements: readonly PlacementRow[]): RollSteps {
  return { canaries: [], others: inOrder(placements).map((one) => [step('restart', one)]) };
}

export function countOf({ canaries, others }: RollSteps, kind?: RollStep['kind']): number {
  return [...canaries, ...others].flat().filter((one) => kind === undefined || one.kind === kind).length;
}

function step(kind: RollStep['kind'], { component, replica }: PlacementKey): RollStep {
  return { kind, component, replica };
}

function nameOf({ component, replica }: PlacementKey): string {
  return `${component}-${replica}`;
}

function inOrder<T extends PlacementKey>(these: readonly T[]): T[] {
  return these.toSorted((a, b) => Number(a.component === SPOUT) - Number(b.component === SPOUT));
}
