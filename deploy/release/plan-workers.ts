import { isDeepStrictEqual } from 'node:util';
import { replicasOf } from '../../topology/settings/topology-settings';
import { SPOUT } from '../../topology/streams';
import { counted, formatCount } from '../console/units';
import { doSpoutsWait } from '../targets/worker-key';
import type { Deployable, Live, LiveRelease, Plan, PlanStep } from './plan-types';
import { groupsOf, type RollStep } from './roll-steps';
import { isOtherEnvironment } from './same-environment';
import type { SpecificationChange } from './specification-diff';
import { stepsFrom } from './worker-steps';

/** Fields that no worker reads: the deployer and Kafka do. */
const NOT_READ = new Set(['replicas', 'partitions']);

/** What becomes of the workers. */
export function planWorkers(
  wanted: Deployable,
  live: Live,
  changes: readonly SpecificationChange[],
): Pick<Plan, 'steps' | 'warnings' | 'rolls'> {
  const { release, waiting, unfinished = [] } = live;
  if (release === undefined) return { steps: [], warnings: [], rolls: [] };
  const before = release?.settings == null ? new Map<string, number>() : replicasOf(release.settings);
  const after = replicasOf(wanted.settings);
  const rollsAll = releaseIsRead(wanted, release) && isOther(wanted, release, changes);
  const there = placedIn(live, wanted);
  const steps = there === null ? [] : groupsOf(stepsFrom(there.placements, there.runs, null, wanted, 0)).flat();
  const countsOf = (kind: RollStep['kind']) => countsIn(steps.filter((step) => step.kind === kind));
  const moves = { started: countsOf('start'), replaced: countsOf('replace'), ended: countsOf('end') };
  for (const [name, count] of rollsAll ? after : []) {
    if (before.has(name)) moves.replaced.set(name, Math.min(before.get(name) ?? 0, count));
  }
  const rolls = [...after.keys()].filter((name) => moves.replaced.has(name));
  const gone = [...before.keys()].filter((name) => !after.has(name));
  return {
    steps: [
      ...unfinished.map(({ number }) => unfinishedStep(number)),
      ...(release?.settings === null ? [unreadableStep(release.number)] : []),
      ...versionSteps(wanted, release),
      ...changes.flatMap((change) => stepOf(change, before, after, waiting)),
      ...summary(rolls, moves.replaced, there?.placements.length ?? 0, rollsAll),
      ...unsaid(moves, changes),
    ],
    warnings: [
      ...versionWarnings(wanted, release),
      ...besideWarnings(wanted, release, rolls.length < after.size),
      ...gone.map(
        (name) =>
          `${name} is removed: its messages wait${open(name, waiting)} until a release has it again. Its topic stays.`,
      ),
    ],
    rolls,
  };
}

/** The workers that there are: those that are asked for on the target local, and elsewhere those of the release that runs, if it can be read. */
function placedIn({ placed, release }: Live, wanted: Deployable): NonNullable<Live['placed']> | null {
  if (placed !== undefined && (wanted.target ?? release?.target ?? 'local') === 'local') return placed;
  if (release === null || release === undefined) return { placements: [], runs: new Map() };
  if (release.settings === null) return null;
  const { number: releaseNumber, settings } = release;
  const placements = [...replicasOf(settings)].flatMap(([component, count]) =>
    Array.from({ length: count }, (_, index) => ({ component, replica: index + 1, releaseNumber })),
  );
  return { placements, runs: new Map([[releaseNumber, { ...release, settings }]]) };
}

type Counts = Map<string, number>;

function countsIn(steps: readonly RollStep[]): Counts {
  const counts: Counts = new Map();
  for (const { component } of steps) counts.set(component, (counts.get(component) ?? 0) + 1);
  return counts;
}

function unfinishedStep(number: number): PlanStep {
  const cost = 'deploying the same goes on with it, anything else takes its place';
  return { what: 'release', change: `${number} was begun and is not done`, cost };
}

function unreadableStep(number: number): PlanStep {
  const cost = 'every worker is replaced; what differs is not known';
  return { what: 'release', change: `${number} says what this version of Downspout does not understand`, cost };
}

/** Workers that come or go although the release that is live says nothing of it: another one that is not done, or `kill`, came in between. */
function unsaid(
  { started, ended }: Readonly<Record<'started' | 'ended', Counts>>,
  changes: readonly SpecificationChange[],
): PlanStep[] {
  const said = new Set(
    changes.flatMap(({ component, field }) => (field === null || field === 'replicas' ? [component] : [])),
  );
  const lines = [
    {
      counts: started,
      verb: ['is started', 'are started'] as const,
      cost: 'the topology has them, and nobody runs them',
    },
    { counts: ended, verb: ['is drained', 'are drained'] as const, cost: 'the topology does not have them' },
  ];
  return lines.flatMap(({ counts, verb, cost }) => {
    const names = [...counts.keys()].filter((name) => !said.has(name));
    const count = names.reduce((sum, name) => sum + (counts.get(name) ?? 0), 0);
    if (count === 0) return [];
    return [{ what: 'workers', change: `${count} ${verb[count === 1 ? 0 : 1]} (${names.join(', ')})`, cost }];
  });
}

/** Pods say which release they run, so that a new release replaces all of them. */
function releaseIsRead({ target }: Deployable, release: LiveRelease | null): boolean {
  return (target ?? release?.target) === 'kubernetes';
}

/** Whether `deploy` would make a new release of it, also one that says the same in other words. */
function isOther(wanted: Deployable, release: LiveRelease | null, changes: readonly SpecificationChange[]): boolean {
  if (release === null) return false;
  const [before, after] = [release.specification, wanted.specification];
  const saysOtherwise = before !== undefined && after !== undefined && !isDeepStrictEqual(before, after);
  const runsOther = release.image !== wanted.image || release.packageVersion !== wanted.packageVersion;
  const isElsewhere = isOtherEnvironment(wanted.environment ?? null, { environment: release.environment ?? null });
  return changes.length > 0 || runsOther || saysOtherwise || isElsewhere;
}

function open(name: string, waiting: ReadonlyMap<string, number>): string {
  const messages = waiting.get(name);
  return messages === undefined ? '' : ` (${formatCount(messages)} now)`;
}

function versionSteps(wanted: Deployable, release: LiveRelease | null): PlanStep[] {
  if (release === null) return [];
  const [from, to] = [release, wanted].map(({ image, packageVersion }) => image ?? packageVersion);
  if (from === to) return [];
  const cost = 'every worker is replaced; both versions run side by side meanwhile';
  return [{ what: 'downspout', change: `${from} → ${to}`, cost }];
}

/** An image stays in its registry; a package that is installed over another one is gone. */
function versionWarnings(wanted: Deployable, release: LiveRelease | null): string[] {
  if (release === null || release.packageVersion === wanted.packageVersion || wanted.image !== null) return [];
  const { packageVersion: before } = release;
  return [
    `Going back to Downspout ${before} needs ${before} on each host, in a folder of its own: where ${wanted.packageVersion} was installed over it, nothing of it is left to run.`,
  ];
}

/** What workers of other engines have beside their release. Only `deploy` asks the engine for it. */
const beside = {
  kubernetes:
    'settings.env is no part of a release, and is not compared here. `deploy` compares it with what the pods have: where it has changed, ' +
    'a new release replaces all of them.',
  compose:
    'workers.env, the files that it names and what the name of the image stands for are no part of a release, and are not compared here. ' +
    '`deploy` compares them with what the containers have: where any has changed, a new release replaces all of them.',
} as const;

function besideWarnings({ target: wanted }: Deployable, release: LiveRelease | null, isMore: boolean): string[] {
  const target = wanted ?? release?.target ?? 'local';
  if (release === null || target === 'local' || !isMore) return [];
  return [beside[target]];
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
  // Spouts emit no more of an account than it may send.
  if (field === 'limits') return [component, SPOUT];
  return field === 'timeout' && doSpoutsWait(component) ? [component, SPOUT] : [component];
}

function costOfReplicas(from: number, to: number): string {
  return to > from
    ? `${counted(to - from, 'worker is started and takes', 'workers are started and take')} partitions over within about 2 s`
    : `${counted(from - to, 'worker is drained: what it sends ends first, and the others take its', 'workers are drained: what they send ends first, and the others take their')} partitions over`;
}

function summary(rolls: readonly string[], counts: Counts, all: number, rollsAll: boolean): PlanStep[] {
  const replaced = [...counts.values()].reduce((sum, count) => sum + count, 0);
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
