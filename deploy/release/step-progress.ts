import { type PlacementKey, type PlacementRow, placementName } from '../../connectors/mysql/operators/placements';
import type { RollView } from '../../connectors/mysql/operators/roll-view';
import { LEASE_MS } from '../../topology/core/lease';
import { rollRules } from '../monitoring/halt-rules';
import { workersText } from './left-over';
import type { RollStep } from './roll-steps';

/** The next worker does not wait longer for the last request of one that drains. */
const DRAIN_LIMIT_MS = 60_000;

/** For how long a step has been waited for, and for how long the database has answered meanwhile without a break. */
interface Waited {
  readonly waitedMs: number;
  readonly steadyMs: number;
}

/** Whether a step is done. @param waited since it was asked for */
export function isDone(
  step: RollStep,
  view: RollView,
  { waitedMs, steadyMs }: Waited,
  drainMs: number | undefined,
): boolean {
  if (step.kind === 'end') {
    // One that lives renews its lease meanwhile: after an outage of the database nobody's holds at first.
    const running = steadyMs < LEASE_MS ? [...view.workers, ...view.lapsed] : view.workers;
    const hasEnded = !running.some((worker) => isFor(worker, step));
    return hasEnded || (drainMs === undefined && waitedMs > DRAIN_LIMIT_MS);
  }
  const placement = view.placements.find((one) => isFor(one, step));
  return placement !== undefined && isReady(placement, waitedMs);
}

/** What is asked for runs, and what ran before has ended or takes long about it. */
export function isReady({ observed, releaseNumber, restarts }: PlacementRow, waitedMs: number): boolean {
  if (observed === null || observed.releaseNumber !== releaseNumber || observed.restarts !== restarts) return false;
  return observed.state === 'ready' || (observed.state === 'draining' && waitedMs > DRAIN_LIMIT_MS);
}

function isFor(one: PlacementKey, other: PlacementKey): boolean {
  return one.component === other.component && one.replica === other.replica;
}

/** Why a worker is not ready, in one sentence. @param waitedMs for how long it was waited for, milliseconds, if it was */
export function notReady(step: PlacementKey, view: RollView, waitedMs?: number): string {
  const placement = view.placements.find((one) => isFor(one, step));
  const why =
    view.supervisors.length === 0
      ? 'no supervisor runs; `downspout supervisor` runs one on a host'
      : (placement?.observed?.lastError ?? `it is ${placement?.observed?.state ?? 'taken by no supervisor'}`);
  const after = waitedMs === undefined ? '' : ` after ${Math.round(waitedMs / 1_000)} s`;
  return `${placementName(step)} is not ready${after}: ${why}`;
}

/** What is known of a worker that crashes again and again. */
export function crashText(placement: PlacementRow): string {
  const { deaths = 0, lastError, logFile } = placement.observed ?? {};
  const how = deaths >= rollRules.deaths ? `died ${deaths} times in a row` : 'does not become ready';
  const log = logFile == null ? '' : ` (log: ${logFile})`;
  return `${placementName(placement)} ${how}: ${lastError ?? 'it said nothing'}${log}`;
}

/** Names the workers that were to end and run on. */
export function notEnded(steps: readonly RollStep[], { workers }: RollView, waitedMs: number): string {
  const left = workers.filter((worker) => steps.some((step) => isFor(worker, step)));
  return `after ${Math.round(waitedMs / 1_000)} s there still run: ${workersText(left)}`;
}

const verbs = { start: 'runs', replace: 'is replaced', restart: 'is restarted', end: 'has ended' } as const;

/** `webhook-1 is replaced (1 of 4)`. */
export function textOf(step: RollStep, done: number, of: number): string {
  return `${placementName(step)} ${verbs[step.kind]} (${done} of ${of})`;
}
