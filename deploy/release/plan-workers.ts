import { isDeepStrictEqual } from 'node:util';
import { replicasOf } from '../../topology/settings/topology-settings';
import { SPOUT } from '../../topology/streams';
import { counted, formatCount } from '../console/units';
import { doSpoutsWait, workerKey } from '../targets/worker-key';
import type { Deployable, Live, Plan, PlanStep } from './plan-types';
import type { SpecificationChange } from './specification-diff';

/** Fields that no worker reads: the deployer and Kafka do. */
const NOT_READ = new Set(['replicas', 'partitions']);

/** What becomes of the workers. */
export function planWorkers(
  wanted: Deployable,
  live: Live,
  changes: readonly SpecificationChange[],
): Pick<Plan, 'steps' | 'warnings' | 'rolls'> {
  const { release, waiting } = live;
  if (release === undefined) return { steps: [], warnings: [], rolls: [] };
  const before = release === null ? new Map<string, number>() : replicasOf(release.settings);
  const after = replicasOf(wanted.settings);
  const rollsAll = releaseIsRead(wanted, release) && isOther(wanted, release, changes);
  const rolls = [...after.keys()].filter(
    (name) =>
      release !== null && before.has(name) && (rollsAll || workerKey(release, name) !== workerKey(wanted, name)),
  );
  const gone = [...before.keys()].filter((name) => !after.has(name));
  return {
    steps: [
      ...versionSteps(wanted, release),
      ...changes.flatMap((change) => stepOf(change, before, after, waiting)),
      ...summary(rolls, before, after, rollsAll),
    ],
    warnings: [
      ...versionWarnings(wanted, release),
      ...gone.map(
        (name) =>
          `${name} is removed: its messages wait${open(name, waiting)} until a release has it again. Its topic stays.`,
      ),
    ],
    rolls,
  };
}

/** Pods say which release they run, so that a new release replaces all of them. */
function releaseIsRead({ target }: Deployable, release: Deployable | null): boolean {
  return (target ?? release?.target) === 'kubernetes';
}

/** Whether `deploy` would make a new release of it, also one that says the same in other words. */
function isOther(wanted: Deployable, release: Deployable | null, changes: readonly SpecificationChange[]): boolean {
  if (release === null) return false;
  const [before, after] = [release.specification, wanted.specification];
  const saysOtherwise = before !== undefined && after !== undefined && !isDeepStrictEqual(before, after);
  const runsOther = release.image !== wanted.image || release.packageVersion !== wanted.packageVersion;
  return changes.length > 0 || runsOther || saysOtherwise;
}

function open(name: string, waiting: ReadonlyMap<string, number>): string {
  const messages = waiting.get(name);
  return messages === undefined ? '' : ` (${formatCount(messages)} now)`;
}

function versionSteps(wanted: Deployable, release: Deployable | null): PlanStep[] {
  if (release === null) return [];
  const [from, to] = [release, wanted].map(({ image, packageVersion }) => image ?? packageVersion);
  if (from === to) return [];
  const cost = 'every worker is replaced; both versions run side by side meanwhile';
  return [{ what: 'downspout', change: `${from} → ${to}`, cost }];
}

/** An image stays in its registry; a package that is installed over another one is gone. */
function versionWarnings(wanted: Deployable, release: Deployable | null): string[] {
  if (release === null || release.packageVersion === wanted.packageVersion || wanted.image !== null) return [];
  const { packageVersion: before } = release;
  return [
    `Going back to Downspout ${before} needs ${before} on each host, in a folder of its own: where ${wanted.packageVersion} was installed over it, nothing of it is left to run.`,
  ];
}

function stepOf(
  { component, field, from, to }: SpecificationChange,
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
  waiting: ReadonlyMap<string, number>,
): PlanStep[] {
  if (component === null && field === 'channels') {
    const cost = 'every worker is replaced, and must find these packages where it runs';
    return [{ what: 'channels', change: `${from ?? 'none'} → ${to ?? 'none'}`, cost }];
  }
  if (component === null) {
    const cost = field === 'minInsyncReplicas' ? 'it is changed in place; nothing waits' : 'it counts for new topics';
    return [{ what: 'topics', change: `${field} ${from ?? "the brokers' own"} → ${to ?? "the brokers' own"}`, cost }];
  }
  if (field === null) {
    if (to === null) {
      const cost = `its ${counted(before.get(component) ?? 0, 'worker drains', 'workers drain')}; its messages wait${open(component, waiting)}`;
      return [{ what: component, change: 'is removed', cost }];
    }
    const cost = component === SPOUT || before.size === 0 ? 'it is started' : 'it is started once the spouts feed it';
    return [{ what: component, change: `new: ${to}`, cost }];
  }
  const change = `${field} ${from ?? '–'} → ${to ?? '–'}`;
  if (field === 'replicas') return [{ what: component, change, cost: costOfReplicas(Number(from), Number(to)) }];
  // The stream's step says what more partitions cost.
  if (NOT_READ.has(field)) return [];
  return [{ what: component, change, cost: `workers of ${readersOf(component, field, after).join(', ')} roll` }];
}

/** The components whose workers read a setting of one. */
function readersOf(component: string, field: string, after: ReadonlyMap<string, number>): readonly string[] {
  if (component === SPOUT && field === 'lead') return [...after.keys()];
  return field === 'timeout' && doSpoutsWait(component) ? [component, SPOUT] : [component];
}

function costOfReplicas(from: number, to: number): string {
  return to > from
    ? `${counted(to - from, 'worker is', 'workers are')} started and take partitions over within about 2 s`
    : `${counted(from - to, 'worker is', 'workers are')} drained: what they send ends first, and the others take their partitions over`;
}

function summary(
  rolls: readonly string[],
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
  rollsAll: boolean,
): PlanStep[] {
  const all = [...before.values()].reduce((sum, replicas) => sum + replicas, 0);
  const replaced = rolls.reduce((sum, name) => sum + Math.min(before.get(name) ?? 0, after.get(name) ?? 0), 0);
  if (replaced === 0) return [];
  const why = rollsAll ? 'each says which release it runs; ' : '';
  const cost = `${why}one at a time, the new one ready before the old one drains: no send waits`;
  return [
    {
      what: 'workers',
      change: `${replaced} of ${all} ${replaced === 1 ? 'is' : 'are'} replaced (${rolls.join(', ')})`,
      cost,
    },
  ];
}
