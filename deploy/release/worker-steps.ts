import { listPlacements, type PlacementRow, placementName } from '../../connectors/mysql/operators/placements';
import { findRelease, type Release } from '../../connectors/mysql/operators/releases';
import type { Pool } from '../../connectors/mysql/sql/pool';
import { UserError } from '../../topology/core/errors';
import { parseSpecification, replicasOf } from '../../topology/settings/topology-settings';
import { type RollSteps, rollSteps } from './roll-steps';
import { type Running, workerKey } from './worker-key';

/** The way from the workers that are asked for now to those of a release. @param canaries of each component */
export async function stepsTo(pool: Pool, number: number, wanted: Running, canaries: number): Promise<RollSteps> {
  const placements = await listPlacements(pool);
  const keys = await keysOf(pool, placements);
  const isUpToDate = (placement: PlacementRow) =>
    placement.releaseNumber === number || keys.get(placement) === workerKey(wanted, placement.component);
  return rollSteps(placements, replicasOf(wanted.settings), isUpToDate, canaries);
}

/**
 * The way back to the release that is live.
 * @param placed what was asked for before: a worker of it that is the same as the live release's is the one that still runs
 */
export async function stepsBack(pool: Pool, live: Release, placed: readonly PlacementRow[]): Promise<RollSteps> {
  const settings = parseSpecification(live.specification, `release ${live.number}`);
  const { others } = await stepsTo(pool, live.number, { ...live, settings }, 0);
  const keys = await keysOf(pool, placed);
  const back = others.map((group) =>
    group.map((step) => {
      const before = placed.find((one) => placementName(one) === placementName(step));
      const isSame = before !== undefined && keys.get(before) === workerKey({ ...live, settings }, step.component);
      return isSame ? { ...step, releaseNumber: before.releaseNumber } : step;
    }),
  );
  return { canaries: [], others: back };
}

/** What each worker that is asked for runs. */
async function keysOf(
  pool: Pool,
  placements: readonly PlacementRow[],
): Promise<ReadonlyMap<PlacementRow, string | null>> {
  const keys = new Map<PlacementRow, string | null>();
  for (const number of new Set(placements.map(({ releaseNumber }) => releaseNumber))) {
    const release = await findRelease(pool, number);
    for (const one of placements.filter(({ releaseNumber }) => releaseNumber === number)) {
      keys.set(one, release === null ? null : keyOf(release, one.component));
    }
  }
  return keys;
}

/** Null for a release that this version cannot read: its workers are taken for others. */
function keyOf({ number, specification, packageVersion, image }: Release, component: string): string | null {
  try {
    const settings = parseSpecification(specification, `release ${number}`);
    return workerKey({ settings, packageVersion, image }, component);
  } catch (error) {
    if (error instanceof UserError) return null;
    throw error;
  }
}
