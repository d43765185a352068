import type { PlacementKey } from '../../connectors/mysql/operators/placements';
import { boltsFirst, type Turn, turns } from '../targets/roll-order';

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

/** A worker that is asked for. */
export interface Placed extends PlacementKey {
  readonly releaseNumber: number;
}

/** Components that are rolled together. Steps of a group are made together, and the next group begins when they are done. */
export interface RollStage {
  /** The first workers that are replaced: the roll pauses after them. */
  readonly canaries: readonly (readonly RollStep[])[];
  readonly others: readonly (readonly RollStep[])[];
}

/** A stage begins when the one before it is done. */
export type RollSteps = readonly RollStage[];

/**
 * How to come from the workers that are asked for to those that are to be: first one worker after another is replaced, then
 * what is new starts at once, and then what is too much drains, one after another.
 * @param replicas how many workers each component is to have
 * @param isUpToDate whether a worker that is asked for may stay as it is
 * @param canaries of each component
 * @param turn in which stage a component is replaced
 */
export function rollSteps<T extends Placed>(
  placements: readonly T[],
  replicas: ReadonlyMap<string, number>,
  isUpToDate: (placement: T) => boolean,
  canaries: number,
  turn: (component: string) => Turn = boltsFirst,
): RollSteps {
  const kept = placements.filter(({ component, replica }) => replica <= (replicas.get(component) ?? 0));
  const replaced = kept.filter((one) => !isUpToDate(one));
  const isThere = new Set(kept.map(nameOf));
  const started = [...replicas].flatMap(([component, count]) =>
    Array.from({ length: count }, (_, index) => ({ component, replica: index + 1 })).filter(
      (one) => !isThere.has(nameOf(one)),
    ),
  );
  const ended = placements.filter((one) => !kept.includes(one)).toReversed();
  const last = [
    ...(started.length === 0 ? [] : [inOrder(started).map((one) => step('start', one))]),
    ...inOrder(ended).map((one) => [step('end', one)]),
  ];
  const stages = turns.map((one) =>
    replacing(
      replaced.filter(({ component }) => turn(component) === one),
      canaries,
    ),
  );
  return [...stages, { canaries: [], others: last }].filter((one) => countOf([one]) > 0);
}

function replacing(placements: readonly PlacementKey[], canaries: number): RollStage {
  const isFirst = (one: PlacementKey, index: number) =>
    placements.slice(0, index).filter(({ component }) => component === one.component).length < canaries;
  const first = placements.filter(isFirst);
  const others = placements.filter((one) => !first.includes(one));
  return {
    canaries: first.map((one) => [step('replace', one)]),
    others: others.map((one) => [step('replace', one)]),
  };
}

/** Replaces workers by new ones of the same release, one after another. */
export function restartSteps(placements: readonly PlacementKey[]): RollSteps {
  return placements.length === 0
    ? []
    : [{ canaries: [], others: inOrder(placements).map((one) => [step('restart', one)]) }];
}

/** All steps, as they are made one after another. */
export function groupsOf(steps: RollSteps): (readonly RollStep[])[] {
  return steps.flatMap(({ canaries, others }) => [...canaries, ...others]);
}

export function countOf(steps: RollSteps, kind?: RollStep['kind']): number {
  return groupsOf(steps)
    .flat()
    .filter((one) => kind === undefined || one.kind === kind).length;
}

function step(kind: RollStep['kind'], { component, replica }: PlacementKey): RollStep {
  return { kind, component, replica };
}

function nameOf({ component, replica }: PlacementKey): string {
  return `${component}-${replica}`;
}

function inOrder<T extends PlacementKey>(these: readonly T[]): T[] {
  return these.toSorted((a, b) => boltsFirst(a.component) - boltsFirst(b.component));
}
