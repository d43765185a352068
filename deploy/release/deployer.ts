import { isDeepStrictEqual } from 'node:util';
import type { DeployLock } from '../../connectors/mysql/operators/deploy-lock';
import { listPlacements, type PlacementRow } from '../../connectors/mysql/operators/placements';
import {
  beginRelease,
  currentRelease,
  finishRelease,
  type NewRelease,
  type Release,
  unfinishedReleases,
} from '../../connectors/mysql/operators/releases';
import type { Pool } from '../../connectors/mysql/sql/pool';
import type { Clock } from '../../topology/core/clock';
import { reasonOf } from '../../topology/core/errors';
import type { Environment } from '../../topology/settings/environment';
import { parseSpecification, type TopologySettings } from '../../topology/settings/topology-settings';
import { SPOUT } from '../../topology/streams';
import { provision } from '../provision';
import { endKill, isKilled } from './kill';
import type { LocalWorkers } from './local-workers';
import { type Growth, growthsOf, partitionsNow, Repartition } from './repartition';
import { countOf } from './roll-steps';
import { withCounts } from './scaled';
import { stepsBack, stepsTo } from './worker-steps';

export interface DeployerOptions {
  readonly environment: Environment;
  readonly clock: Clock;
  /** Of the user who deploys. */
  readonly pool: Pool;
  /** Of the application's user, who may pause. */
  readonly appPool: Pool;
  readonly lock: DeployLock;
  readonly workers: LocalWorkers;
  /** Aborts when the command is to end. */
  readonly signal: AbortSignal;
  /** One line for each step that is done, or begins and takes a while. */
  readonly report: (text: string) => void;
  /** Makes sure that a supervisor runs. */
  readonly ensureSupervisor: () => Promise<void>;
}

export interface RollOptions {
  /** Of each component, how many workers are replaced first. */
  readonly canaries: number;
  /** How long these are watched before others follow. */
  readonly pauseMs: number;
}

/** `unchanged`: it ran already. `interrupted`: some workers may run the new release, the others the old one. */
export interface Deployed {
  readonly outcome: 'live' | 'unchanged' | 'failed' | 'rolled_back' | 'interrupted';
  readonly release: number;
  /** The release that runs after a failure, or null when there is none. */
  readonly running: number | null;
  readonly reason: string | null;
}

/**
 * Deploys releases on the target `local`, under the lock.
 *
 * 1. *A release that fails leaves the old one running*: its placements are set back.
 * 2. *A deploy that was interrupted or killed is continued by the next one*, with the same release where it is the same.
 * 3. *A worker that would be the same in the new release is left alone.*
 */
export class Deployer {
  constructor(private readonly options: DeployerOptions) {}

  /** @throws UserError, Unavailable when something before the workers fails; the release is marked failed then */
  async deploy(wanted: NewRelease, roll: RollOptions): Promise<Deployed> {
    const { pool, lock, report, environment, signal } = this.options;
    const settings = parseSpecification(wanted.specification, 'this release');
    const live = await currentRelease(pool);
    const growths = await growthsOf(environment, settings);
    if (live !== null && growths.length === 0 && (await this.isLive(live, wanted, settings))) {
      return this.keep(live, settings);
    }
    const placed = await listPlacements(pool);
    const number = await this.begin(wanted);
    report(`release ${number}: ${wanted.reason}`);
    await lock.describe(`${wanted.reason} (release ${number})`);
    try {
      return await this.carryOut(number, wanted, settings, { live, growths, placed, roll });
    } catch (error) {
      if (!lock.lost.aborted && !signal.aborted) {
        await lock.transaction((sql) => finishRelease(sql, number, 'failed', reasonOf(error)));
      }
      throw error;
    }
  }

  /** An earlier specification with the partitions that its streams have by now, because they cannot be taken away. */
  async keepingPartitions(specification: unknown): Promise<unknown> {
    const settings = parseSpecification(specification, 'the earlier release');
    const streams = await partitionsNow(this.options.environment, settings);
    const more = streams.filter(({ from, to }) => from > to);
    for (const { component, from } of more) this.options.report(`${component} keeps its ${from} partitions`);
    return withCounts(
      specification,
      more.map(({ component, from }) => ({ component, field: 'partitions' as const, count: from })),
    );
  }

  private async carryOut(
    number: number,
    wanted: NewRelease,
    settings: TopologySettings,
    {
      live,
      growths,
      placed,
      roll: { canaries, pauseMs },
    }: {
      readonly live: Release | null;
      readonly growths: readonly Growth[];
      readonly placed: readonly PlacementRow[];
      readonly roll: RollOptions;
    },
  ): Promise<Deployed> {
    const { pool, appPool, lock, workers, ensureSupervisor } = this.options;
    // Spouts are restarted while the stream of changes grows.
    if (growths.length > 0) await ensureSupervisor();
    await this.prepare(settings, growths);
    await ensureSupervisor();
    const wasKilled = await isKilled(pool);
    const steps = await stepsTo(pool, number, { ...wanted, settings }, canaries);
    const over = await workers.roll(steps, number, Object.keys(settings.bolts), pauseMs);
    if (over.result === 'done') {
      await lock.transaction((sql) => finishRelease(sql, number, 'live'));
      if (wasKilled) await endKill(appPool);
      return { outcome: 'live', release: number, running: number, reason: null };
    }
    if (over.result === 'interrupted') {
      const reason = `${over.done} of ${over.of} steps were made; \`downspout deploy\` goes on, \`downspout rollback\` goes back`;
      return { outcome: 'interrupted', release: number, running: live?.number ?? null, reason };
    }
    return this.takeBack(number, live, placed, over);
  }

  /** Makes ready what somebody took away, and waits until every worker runs. */
  private async keep({ number }: Release, settings: TopologySettings): Promise<Deployed> {
    await this.prepare(settings, []);
    await this.options.ensureSupervisor();
    const over = await this.options.workers.untilHealthy();
    const common = { release: number, running: number };
    if (over.result === 'done') return { ...common, outcome: 'unchanged', reason: null };
    if (over.result === 'interrupted') return { ...common, outcome: 'interrupted', reason: 'nothing was changed' };
    return { ...common, outcome: 'failed', reason: over.reason };
  }

  /** Nothing would change. */
  private async isLive(live: Release, wanted: NewRelease, settings: TopologySettings): Promise<boolean> {
    const { pool } = this.options;
    if (!isSame(live, wanted) || (await unfinishedReleases(pool)).length > 0) return false;
    return countOf(await stepsTo(pool, live.number, { ...wanted, settings }, 0)) === 0;
  }

  /** A release that was interrupted is continued when it is what is wanted now; otherwise a new one takes its place. */
  private begin(wanted: NewRelease): Promise<number> {
    return this.options.lock.transaction(async (sql) => {
      const unfinished = await unfinishedReleases(sql);
      const last = unfinished.at(-1);
      const continued = last !== undefined && isSame(last, wanted) && last.reason === wanted.reason ? last : undefined;
      const number = continued?.number ?? (await beginRelease(sql, wanted));
      for (const one of unfinished) {
        const detail = `interrupted; release ${number} followed`;
        if (one !== continued) await finishRelease(sql, one.number, 'failed', detail);
      }
      return number;
    });
  }

  /** Everything that workers need, before any of them starts. */
  private async prepare(settings: TopologySettings, growths: readonly Growth[]): Promise<void> {
    const { environment, clock, appPool: pool, signal, report, workers } = this.options;
    const register = () => provision(environment, settings, clock, (step, text) => report(`${step}: ${text}`));
    const repartition = new Repartition({ environment, settings, clock, pool, signal, report });
    for (const growth of growths.filter(({ component }) => component !== SPOUT)) await repartition.growDue(growth);
    const ofChanges = growths.find(({ component }) => component === SPOUT);
    if (ofChanges === undefined) await register();
    // All spouts at once, because nothing is emitted meanwhile.
    else await repartition.growChanges(ofChanges, register, () => workers.restartTogether(SPOUT));
  }

  private async takeBack(
    number: number,
    live: Release | null,
    placed: readonly PlacementRow[],
    { result, reason }: { readonly result: 'failed' | 'trouble'; readonly reason: string },
  ): Promise<Deployed> {
    const { pool, lock, workers, report } = this.options;
    const outcome = result === 'failed' ? 'failed' : 'rolled_back';
    report(`halted: ${reason}; going back${live === null ? '' : ` to release ${live.number}`}`);
    const over =
      live === null ? await workers.end() : await workers.goBack(await stepsBack(pool, live, placed), live.number);
    const left = over.result === 'done' ? '' : `; going back: ${'reason' in over ? over.reason : over.result}`;
    await lock.transaction((sql) => finishRelease(sql, number, outcome, `${reason}${left}`));
    return { outcome, release: number, running: live?.number ?? null, reason: `${reason}${left}` };
  }
}

function isSame(release: Release, wanted: NewRelease): boolean {
  return (
    isDeepStrictEqual(release.specification, wanted.specification) &&
    release.packageVersion === wanted.packageVersion &&
    release.image === wanted.image &&
    release.target === wanted.target
  );
}
