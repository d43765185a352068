import type { DeployLock } from '../../connectors/mysql/operators/deploy-lock';
import {
  listPlacements,
  type PlacementKey,
  type PlacementRow,
  placementName,
} from '../../connectors/mysql/operators/placements';
import { openPerSecond } from '../../connectors/mysql/operators/roll-figures';
import { readRollView } from '../../connectors/mysql/operators/roll-view';
import type { Pool } from '../../connectors/mysql/sql/pool';
import type { Clock } from '../../topology/core/clock';
import { UserError } from '../../topology/core/errors';
import type { TopologySettings } from '../../topology/settings/topology-settings';
import { SPOUT } from '../../topology/streams';
import { rollRules } from '../monitoring/halt-rules';
import { graceSeconds } from '../worker/drain-limit';
import { asBefore } from './left-alone';
import { leftOver } from './left-over';
import { localPort, watchRoll } from './local-roll';
import { crowdText } from './roll-rules';
import { groupsOf, type RollStep, type RollSteps, restartSteps, rollSteps } from './roll-steps';
import { Rollout, type RolloutOptions, type RolloutResult } from './rollout';

export interface LocalWorkersOptions {
  readonly pool: Pool;
  readonly lock: DeployLock;
  readonly clock: Clock;
  /** Aborts when the command is to end. */
  readonly signal: AbortSignal;
  readonly report: (text: string) => void;
}

/** Beside the end in good order that an engine waits for. */
const END_MARGIN_MS = 10_000;
const LEAST_END_MS = 60_000;

/** How long workers of these settings, if we know them, take to end when all goes well, milliseconds. */
export function endLimitMs(settings: TopologySettings | null): number {
  const graceMs = settings === null ? 0 : graceSeconds(Object.keys(settings.bolts), settings) * 1_000;
  return Math.max(LEAST_END_MS, graceMs + END_MARGIN_MS);
}

const unjudged = () => Promise.resolve(null);

/** The workers of the target `local`, as whoever has the right to deploy changes them. */
export class LocalWorkers {
  constructor(private readonly options: LocalWorkersOptions) {}

  /**
   * @param numbers.live of the release that is live; 0 when none is
   * @param settings of the release
   * @param pauseMs how long the canaries are watched before others follow
   */
  async roll(
    steps: RollSteps,
    { number: releaseNumber, live: liveNumber }: { readonly number: number; readonly live: number },
    { bolts, spout }: TopologySettings,
    pauseMs: number,
  ): Promise<RolloutResult> {
    const { pool, clock } = this.options;
    const isContinued = (await listPlacements(pool)).some((one) => one.releaseNumber === releaseNumber);
    const judge = await watchRoll(pool, clock, { releaseNumber, isContinued }, Object.keys(bolts));
    const options = { judge, crowd: this.crowd, leadMs: spout.leadMs, isContinued, liveNumber };
    return this.rollout(options).run(steps, releaseNumber, pauseMs);
  }

  /**
   * A roll that nothing but a worker that cannot run, and could before, halts: to what ran before.
   * @param before what was asked for before the release that is taken back
   */
  goBack(steps: RollSteps, releaseNumber: number, before: readonly PlacementRow[]): Promise<RolloutResult> {
    return this.rollout({ mayBeUnready: asBefore(before, steps) }).run(steps, releaseNumber, 0);
  }

  /** Waits until everything that is asked for runs. */
  untilHealthy(): Promise<RolloutResult> {
    return this.rollout({ mayBeUnready: () => false }).run([], 0, 0);
  }

  /** Replaces workers by new ones of the same release, one after another. */
  restart(placements: readonly PlacementRow[]): Promise<RolloutResult> {
    return this.rollout({ crowd: this.crowd }).run(restartSteps(placements), 0, 0);
  }

  /** Replaces all workers of a component at once. @throws UserError when they do not become ready */
  async restartTogether(component: string): Promise<void> {
    const placements = await listPlacements(this.options.pool);
    const steps = groupsOf(restartSteps(placements.filter((one) => one.component === component))).flat();
    const result = steps.length === 0 ? { result: 'done' as const } : await this.together(steps);
    if ('reason' in result) throw new UserError(`${component} was not restarted: ${result.reason}`);
  }

  /**
   * Drains all workers and ends them, all at once; also those that nobody asks for any more.
   * @param drainMs a worker that runs on for longer is a failure
   */
  async end(drainMs: number): Promise<RolloutResult> {
    const { placements, workers } = await readRollView(this.options.pool);
    const asked = groupsOf(rollSteps(placements, new Map(), () => true, 0)).flat();
    const isAsked = (worker: PlacementKey) => asked.some((step) => placementName(step) === placementName(worker));
    const others = workers
      .filter((worker) => !isAsked(worker))
      .map(({ component, replica }) => ({ component, replica }));
    return this.together([...asked, ...others.map((one) => ({ kind: 'end' as const, ...one }))], drainMs);
  }

  /** Workers that nobody ends, in one line if there are any. */
  async leftOver(): Promise<string[]> {
    return leftOver((await readRollView(this.options.pool)).workers);
  }

  private together(steps: readonly RollStep[], drainMs?: number): Promise<RolloutResult> {
    return this.rollout({ drainMs }).run(steps.length === 0 ? [] : [{ canaries: [], others: [steps] }], 0, 0);
  }

  private readonly crowd = async (): Promise<string | null> => {
    const { pool } = this.options;
    const components = (await listPlacements(pool)).map(({ component }) => component);
    const channels = [...new Set(components)].filter((component) => component !== SPOUT);
    return crowdText(await openPerSecond(pool, channels, rollRules.crowdSeconds * 1_000));
  };

  private rollout(own: Partial<RolloutOptions>): Rollout {
    const { pool, lock, clock, signal, report } = this.options;
    const port = localPort(pool, lock);
    const common = { port, clock, signal: AbortSignal.any([signal, lock.lost]), report };
    return new Rollout({ judge: unjudged, ...common, ...own });
  }
}
