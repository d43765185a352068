import { type PlacementKey, type PlacementRow, placementName } from '../../connectors/mysql/operators/placements';
import { groupsOf, type RollSteps } from './roll-steps';
import { isReady } from './step-progress';

/** Whether a worker may be unready when a roll ends, because that says nothing of the roll. */
export type MayBeUnready = (placement: PlacementKey) => boolean;

/**
 * Of a roll: what is not ready when it begins, and what it leaves alone, if a release that was live had asked for it. What only a
 * later one has, which was interrupted, may be what that one broke.
 * @param placements when it begins
 * @param liveNumber of the release that is live; 0 when none is
 */
export function leftAlone(placements: readonly PlacementRow[], steps: RollSteps, liveNumber: number): MayBeUnready {
  const asked = namesOf(groupsOf(steps).flat());
  const alone = placements.filter((one) => one.releaseNumber <= liveNumber && !asked.has(placementName(one)));
  const unready = namesOf(alone.filter((one) => !wasReady(one)));
  return (placement) => unready.has(placementName(placement));
}

/**
 * Of going back: what it does not ask for, and what was not ready in the same release before.
 * @param before what was asked for before the release that is taken back
 */
export function asBefore(before: readonly PlacementRow[], steps: RollSteps): MayBeUnready {
  const unready = before.filter((one) => !wasReady(one));
  const wasSo = (step: PlacementKey & { readonly releaseNumber?: number }) =>
    unready.some((one) => placementName(one) === placementName(step) && one.releaseNumber === step.releaseNumber);
  const judged = namesOf(
    groupsOf(steps)
      .flat()
      .filter((step) => !wasSo(step)),
  );
  return (placement) => !judged.has(placementName(placement));
}

function wasReady(placement: PlacementRow): boolean {
  return isReady(placement, Number.POSITIVE_INFINITY);
}

function namesOf(placements: readonly PlacementKey[]): ReadonlySet<string> {
  return new Set(placements.map(placementName));
}
