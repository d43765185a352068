import { type PlacementKey, type PlacementRow, placementName } from '../../connectors/mysql/operators/placements';
import type { Release } from '../../connectors/mysql/operators/releases';
import { replicasOf, settingsOrNull, type TopologySettings } from '../../topology/settings/topology-settings';
import { turnOf } from '../targets/roll-order';
import { type Running, workerKey } from '../targets/worker-key';
import type { DeployTables } from './deploy-tables';
import { type Placed, type RollSteps, rollSteps } from './roll-steps';
import { isOlder } from './versions';

type Tables = Pick<DeployTables, 'placements' | 'find'>;

/** What releases run, by their number; null for one that this version cannot read. */
export type Runs = ReadonlyMap<number, Running | null>;

/** The way from the workers that are asked for now to those of a release. @param canaries of each component */
export async function stepsTo(tables: Tables, number: number, wanted: Running, canaries: number): Promise<RollSteps> {
  const placements = await tables.placements();
  return stepsFrom(placements, await readRuns(tables, placements), number, wanted, canaries);
}

/** The same of workers that were read before. @param number of the release, when it has one yet */
export function stepsFrom(
  placements: readonly Placed[],
  runs: Runs,
  number: number | null,
  wanted: Running,
  canaries: number,
): RollSteps {
  const isUpToDate = (placement: Placed) =>
    placement.releaseNumber === number || keyOf(runs, placement) === workerKey(wanted, placement.component);
  const isBack = isBackTo(wanted.packageVersion, runs);
  const direction = { wanted: wanted.settings, running: settingsIn(runs, placements), isBack };
  const turn = (component: string) => turnOf(component, direction);
  return rollSteps(placements, replicasOf(wanted.settings), isUpToDate, canaries, turn);
}

/**
 * The way back to what ran before a release that is taken back.
 * @param number of the release that is taken back
 * @param live null when none was: then what was placed by others comes back
 * @param placed what was asked for before: a worker of it that is the same as the live release's is the one that still runs
 */
export async function stepsBack(
  tables: Tables,
  number: number,
  live: Release | null,
  placed: readonly PlacementRow[],
): Promise<RollSteps> {
  const settings = live === null ? null : settingsOrNull(live.specification);
  const before = live === null ? placed.filter(({ releaseNumber }) => releaseNumber !== number) : placed;
  const ran = await readRuns(tables, before);
  /** The release that a worker is to run. */
  const target = (key: PlacementKey): number => {
    const own = before.find((one) => placementName(one) === placementName(key));
    if (live === null) return own?.releaseNumber ?? number;
    if (own === undefined || own.releaseNumber === number) return live.number;
    const isKept = settings === null || keyOf(ran, own) === workerKey({ ...live, settings }, key.component);
    return isKept ? own.releaseNumber : live.number;
  };
  const now = await tables.placements();
  const wasKept = (placement: PlacementRow) => placement.releaseNumber === target(placement);
  const runs = await readRuns(tables, now);
  const backTo = live === null ? [...ran.values()].flatMap((run) => run?.packageVersion ?? []) : [live.packageVersion];
  const direction = {
    wanted: settings,
    running: settingsIn(runs, now),
    isBack: backTo.some((version) => isBackTo(version, runs)),
  };
  const turn = (component: string) => turnOf(component, direction);
  const steps = rollSteps(now, settings === null ? countsOf(before) : replicasOf(settings), wasKept, 0, turn);
  return steps.map(({ canaries, others }) => ({
    canaries,
    others: others.map((group) => group.map((step) => ({ ...step, releaseNumber: target(step) }))),
  }));
}

/** How many workers each component has. */
function countsOf(placements: readonly PlacementRow[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { component, replica } of placements) {
    counts.set(component, Math.max(replica, counts.get(component) ?? 0));
  }
  return counts;
}

/** What the workers that are asked for run. */
export async function readRuns(tables: Pick<Tables, 'find'>, placements: readonly Placed[]): Promise<Runs> {
  const runs = new Map<number, Running | null>();
  for (const number of new Set(placements.map(({ releaseNumber }) => releaseNumber))) {
    const release = await tables.find(number);
    const settings = release === null ? null : settingsOrNull(release.specification);
    runs.set(number, release === null || settings === null ? null : { ...release, settings });
  }
  return runs;
}

/** Null when it cannot be read what a worker runs. */
function keyOf(runs: Runs, { releaseNumber, component }: Placed): string | null {
  const run = runs.get(releaseNumber) ?? null;
  return run === null ? null : workerKey(run, component);
}

/** What the workers of a component run; null for what cannot be read. */
function settingsIn(runs: Runs, placements: readonly Placed[]) {
  return (component: string): readonly (TopologySettings | null)[] =>
    placements
      .filter((one) => one.component === component)
      .map(({ releaseNumber }) => runs.get(releaseNumber)?.settings ?? null);
}

/** Whether a version is older than one that workers run. */
function isBackTo(version: string, runs: Runs): boolean {
  return [...runs.values()].some((run) => run !== null && isOlder(version, run.packageVersion));
}
