import type { DeployLock } from '../../connectors/mysql/operators/deploy-lock';
import { listPlacements, type PlacementRow } from '../../connectors/mysql/operators/placements';
import type { Pool } from '../../connectors/mysql/sql/pool';
import type { Clock } from '../../topology/core/clock';
import { UserError } from '../../topology/core/errors';
import { localPort, watchRoll } from './local-roll';
import { type RollStep, type RollSteps, restartSteps, rollSteps } from './roll-steps';
import { Rollout, type RolloutResult } from './rollout';

export interface LocalWorkersOptions {
  readonly pool: Pool;
  readonly lock: DeployLock;
  readonly clock: Clock;
  /** Aborts when the command is to end. */
  readonly signal: AbortSignal;
  readonly report: (text: string) => void;
}

const unjudged = () => Promise.resolve(null);

/** The workers of the target `local`, as whoever has the right to deploy changes them. */
export class LocalWorkers {
  constructor(private readonly options: LocalWorkersOptions) {}

  /** @param channels whose messages are watched @param pauseMs how long the canaries are watched before others follow */
  async roll(
    steps: RollSteps,
    releaseNumber: number,
    channels: readonly string[],
    pauseMs: number,
  ): Promise<RolloutResult> {
    const { pool, clock } = this.options;
    const judge = await watchRoll(pool, clock, releaseNumber, channels);
    return this.rollout(judge).run(steps, releaseNumber, pauseMs);
  }

  /** A roll that nothing but a worker that cannot run halts: to what ran before. */
  goBack(steps: RollSteps, releaseNumber: number): Promise<RolloutResult> {
    return this.rollout(unjudged).run(steps, releaseNumber, 0);
  }

  /** Waits until everything that is asked for runs. */
  untilHealthy(): Promise<RolloutResult> {
    return this.together([]);
  }

  /** Replaces workers by new ones of the same release, one after another. */
  restart(placements: readonly PlacementRow[]): Promise<RolloutResult> {
    return this.rollout(unjudged).run(restartSteps(placements), 0, 0);
  }

  /** Replaces all workers of a component at once. @throws UserError when they do not become ready */
  async restartTogether(component: string): Promise<void> {
    const placements = await listPlacements(this.options.pool);
    const steps = restartSteps(placements.filter((one) => one.component === component)).others.flat();
    const result = steps.length === 0 ? { result: 'done' as const } : await this.together(steps);
    if ('reason' in result) throw new UserError(`${component} was not restarted: ${result.reason}`);
  }

  /** Drains all workers and ends them, all at once. */
  async end(): Promise<RolloutResult> {
    const placements = await listPlacements(this.options.pool);
    return this.together(rollSteps(placements, new Map(), () => true, 0).others.flat());
  }

  private together(steps: readonly RollStep[]): Promise<RolloutResult> {
    return this.rollout(unjudged).run({ canaries: [], others: steps.length === 0 ? [] : [steps] }, 0, 0);
  }

  private rollout(judge: () => Promise<string | null>): Rollout {
    const { pool, lock, clock, signal, report } = this.options;
    const port = localPort(pool, lock);
    return new Rollout({ port, clock, signal: AbortSignal.any([signal, lock.lost]), judge, report });
  }
}
