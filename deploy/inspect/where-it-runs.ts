import type { Pause } from '../../connectors/mysql/operators/operations';
import { type PlacementRow, placementName, type SupervisorStatus } from '../../connectors/mysql/operators/placements';
import type { WorkerStatus } from '../../connectors/mysql/operators/worker-status';
import { counted, formatDuration } from '../console/units';

/** What the database says of who runs what. Times are epoch milliseconds by its clock. */
export interface Whereabouts {
  readonly now: number;
  readonly workers: readonly WorkerStatus[];
  readonly placements: readonly PlacementRow[];
  readonly supervisors: readonly SupervisorStatus[];
  /** How many workers each component has at least, by the release that is live, where another engine than the target local runs them. */
  readonly elsewhere?: ReadonlyMap<string, number>;
}

/** One line of `downspout ps`: a worker that runs, or one that is to run and does not. */
export interface ProcessLine {
  readonly component: string;
  readonly replica: number | null;
  readonly host: string | null;
  readonly pid: number | null;
  readonly release: number | null;
  readonly state: string;
  readonly partitions: WorkerStatus['partitions'];
  /** Milliseconds since it started. */
  readonly upMs: number | null;
  readonly lastError: string | null;
}

/** One line of `downspout list`. */
export interface ComponentLine {
  readonly component: string;
  readonly state: 'active' | 'deactivated' | 'paused' | 'short of workers' | 'down';
  /** Null when nobody deployed it. */
  readonly wanted: number | null;
  readonly ready: number;
  /** Workers that own partitions, and how many they own together. */
  readonly tasks: number;
  readonly partitions: number;
  readonly releases: readonly number[];
}

/** Every worker process that lives, and every placement that has none. */
export function processesOf({ now, workers, placements, supervisors, elsewhere }: Whereabouts): ProcessLine[] {
  const living = workers.filter(({ state }) => state === 'alive' || state === 'late');
  const lines: ProcessLine[] = living.map((worker) => {
    const placement = placementOf(worker, placements);
    return {
      component: worker.components.join(','),
      replica: worker.replica,
      host: worker.host,
      pid: worker.pid,
      release: worker.release,
      state: stateOf(worker, placement),
      partitions: worker.partitions,
      upMs: now - worker.startedAt,
      lastError: placement?.observed?.session === worker.session ? placement.observed.lastError : null,
    };
  });
  const without = placements.filter((one) => !living.some((worker) => placementOf(worker, placements) === one));
  const missing = without.map((one) => ({
    component: one.component,
    replica: one.replica,
    host: supervisors.find(({ id }) => id === one.supervisor)?.host ?? null,
    pid: one.observed?.pid ?? null,
    release: one.releaseNumber,
    state: one.supervisor === null ? 'nobody runs it' : worded(one.observed?.state ?? 'starting'),
    partitions: {},
    upMs: null,
    lastError: one.observed?.lastError ?? null,
  }));
  const awayElsewhere = [...(elsewhere ?? [])].flatMap(([component, count]) => {
    const there = living.filter(({ components }) => components.includes(component)).length;
    return Array.from({ length: Math.max(0, count - there) }, () => ({ ...NOWHERE, component, state: 'does not run' }));
  });
  const order = (line: ProcessLine) => `${line.component} ${String(line.replica ?? 0).padStart(5, '0')}`;
  return [...lines, ...missing, ...awayElsewhere].toSorted((a, b) => (order(a) < order(b) ? -1 : 1));
}

/** A worker of which nothing is known but that it is to run. */
const NOWHERE = { replica: null, host: null, pid: null, release: null, partitions: {}, upMs: null, lastError: null };

/** The components that run or are to run. */
export function componentsOf(
  { workers, placements, elsewhere }: Whereabouts,
  pauses: readonly Pause[],
): ComponentLine[] {
  const living = workers.filter(({ state }) => state === 'alive');
  const names = new Set([
    ...placements.map(({ component }) => component),
    ...(elsewhere?.keys() ?? []),
    ...living.flatMap((one) => one.components),
  ]);
  const isDeactivated = pauses.some(({ channel }) => channel === null);
  const isPaused = (name: string) => pauses.some(({ channel, account }) => channel === name && account === null);
  return [...names].toSorted().map((component) => {
    const own = living.filter(({ components }) => components.includes(component));
    const placed = placements.filter((one) => one.component === component);
    const wanted = placed.length > 0 ? placed.length : (elsewhere?.get(component) ?? null);
    const owned = own.map(({ partitions }) => partitions[component]?.length ?? 0).filter((count) => count > 0);
    const ready = placed.length === 0 ? owned.length : placed.filter(isReady).length;
    const isShort = ready < (wanted ?? 0);
    return {
      component,
      state:
        own.length === 0
          ? 'down'
          : isDeactivated
            ? 'deactivated'
            : isPaused(component)
              ? 'paused'
              : isShort
                ? 'short of workers'
                : 'active',
      wanted,
      ready,
      tasks: owned.length,
      partitions: owned.reduce((sum, count) => sum + count, 0),
      releases: [...new Set(own.flatMap(({ release }) => release ?? []))].toSorted((a, b) => a - b),
    };
  });
}

/** What somebody should do something about: hosts that are missing, workers that do not start, workers that nobody runs. */
export function placementWarnings({ now, placements, supervisors }: Omit<Whereabouts, 'workers'>): string[] {
  const isPresent = ({ leftAt, leaseUntil }: SupervisorStatus) => leftAt === null && leaseUntil >= now;
  const present = supervisors.filter(isPresent);
  const missing = supervisors.filter((one) => one.leftAt === null && !isPresent(one));
  const unowned = placements.filter(({ supervisor }) => !present.some(({ id }) => id === supervisor));
  return [
    ...missing.map(
      ({ host, leaseUntil }) =>
        `Host ${host} is missing: its supervisor was last heard of ${formatDuration(now - leaseUntil)} ago. ` +
        (present.length === 0 ? 'No other host is there to take its work.' : 'Other hosts take its work.'),
    ),
    ...placements
      .filter(({ observed }) => observed?.state === 'crash_looping')
      .map(
        (one) =>
          `Worker ${placementName(one)} of release ${one.releaseNumber} does not start` +
          `${one.observed?.deaths === 0 ? '' : ` (${one.observed?.deaths} deaths in a row)`}: ${one.observed?.lastError ?? 'it has said nothing'}. ` +
          `Its log is ${one.observed?.logFile}.`,
      ),
    ...(present.length === 0 && unowned.length > 0
      ? [
          `${counted(unowned.length, 'worker is', 'workers are')} to run and no supervisor is there: run \`downspout supervisor --detach\` on a host.`,
        ]
      : []),
  ];
}

function isReady({ observed }: PlacementRow): boolean {
  return observed?.state === 'ready' || observed?.state === 'draining';
}

function placementOf(worker: WorkerStatus, placements: readonly PlacementRow[]): PlacementRow | undefined {
  if (worker.supervisor === null) return undefined;
  return placements.find((one) => one.replica === worker.replica && worker.components.includes(one.component));
}

/** Of two workers of a placement the one that is not observed is the new one while that starts, and the old one afterwards. */
function stateOf(worker: WorkerStatus, placement: PlacementRow | undefined): string {
  if (worker.state === 'late') return 'lease is out';
  if (worker.supervisor === null) return 'running';
  const observed = placement?.observed ?? null;
  if (observed === null || placement?.supervisor !== worker.supervisor) return 'left over';
  if (observed.session !== worker.session) return observed.state === 'draining' ? 'draining' : 'starting';
  return observed.state === 'crash_looping' ? worded(observed.state) : 'ready';
}

function worded(state: string): string {
  return state === 'crash_looping' ? 'crash looping' : state;
}
