import type { DeployLock } from '../../connectors/mysql/operators/deploy-lock';
import type { PlacementRow } from '../../connectors/mysql/operators/placements';
import type { NewRelease, Release } from '../../connectors/mysql/operators/releases';
import type { Clock } from '../../topology/core/clock';
import { reasonOf, Unavailable } from '../../topology/core/errors';
import { parseSpecification, type TopologySettings } from '../../topology/settings/topology-settings';
import { counted } from '../console/units';
import type { DeployTables } from './deploy-tables';
import { endLimitMs, type LocalWorkers } from './local-workers';
import { patiently } from './patiently';
import type { Preparation } from './preparation';
import { countOf } from './roll-steps';
import { isSameRelease } from './same-release';
import { requireSameTarget } from './same-target';
import { keptPartitions, withCounts } from './scaled';
import { waysOn } from './ways-on';
import { stepsBack, stepsTo } from './worker-steps';

export interface DeployerOptions {
  readonly tables: DeployTables;
  readonly preparation: Pick<Preparation, 'partitions' | 'growths' | 'prepare'>;
  readonly workers: Pick<LocalWorkers, 'roll' | 'goBack' | 'end' | 'untilHealthy' | 'leftOver'>;
  readonly lock: Pick<DeployLock, 'describe' | 'lost'>;
  readonly clock: Clock;
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
  /** The release that runs after a failure, be it one that was interrupted before any was live; null when there is none. */
  readonly running: number | null;
  readonly reason: string | null;
  /** Nothing is sent, because a person has deactivated everything, or `kill` has and this did not end it. */
  readonly isDeactivated: boolean;
  /** Workers of earlier releases that nobody ends, in one line if there are any. */
  readonly leftOver: readonly string[];
}

type Outcome = Omit<Deployed, 'isDeactivated' | 'leftOver'>;

/**
 * Deploys releases on the target `local`, under the lock.
 *
 * 1. *A release that fails leaves the old one running*: its placements are set back.
 * 2. *A deploy that was interrupted or killed is continued by the next one*, with the same release where it is the same.
 * 3. *A worker that would be the same in the new release is left alone.*
 * 4. *What `kill` has deactivated is active again once a release is live*, wherever kill or a deploy after it was ended. What a
 *    person has deactivated stays so.
 * 5. *A database that stumbles changes no outcome*: a release whose workers were touched ends as live, or when everything is
 *    as it was before; until then the next deploy or rollback goes on.
 */
export class Deployer {
  constructor(private readonly options: DeployerOptions) {}

  /** @throws UserError, Unavailable when something before the workers fails; the release is marked failed then */
  async deploy(wanted: NewRelease, roll: RollOptions): Promise<Deployed> {
    const deployed = await this.carryOut(wanted, roll);
    const { tables, workers } = this.options;
    return {
      ...deployed,
      isDeactivated: await this.patiently(() => tables.isDeactivated()),
      leftOver: await this.patiently(() => workers.leftOver()),
    };
  }

  /** An earlier specification with the partitions that its streams have by now, because they cannot be taken away. */
  async keepingPartitions(specification: unknown): Promise<unknown> {
    const settings = parseSpecification(specification, 'the earlier release');
    const streams = await this.options.preparation.partitions(settings);
    const more = keptPartitions(streams);
    for (const { component, count } of more)
      this.options.report(`${component} keeps its ${counted(count, 'partition')}`);
    return withCounts(specification, more);
  }

  private async carryOut(wanted: NewRelease, roll: RollOptions): Promise<Outcome> {
    const { tables, preparation, lock, workers, report, ensureSupervisor } = this.options;
    const settings = parseSpecification(wanted.specification, 'this release');
    const live = await tables.live();
    requireSameTarget(wanted.target, [...(live === null ? [] : [live]), ...(await tables.unfinished())]);
    const growths = await preparation.growths(settings);
    if (live !== null && growths.length === 0 && (await this.isLive(live, wanted, settings))) {
      return this.keep(live, settings);
    }
    const placed = await tables.placements();
    const number = await tables.begin(wanted, (last) => isSameRelease(last, wanted) && last.reason === wanted.reason);
    report(`release ${number}: ${wanted.reason}`);
    await lock.describe(`${wanted.reason} (release ${number})`);
    try {
      // Spouts are restarted while the stream of changes grows.
      if (growths.length > 0) await ensureSupervisor();
      await preparation.prepare(settings, growths);
      await ensureSupervisor();
    } catch (error) {
      if (placed.every(({ releaseNumber }) => releaseNumber !== number)) await this.fail(number, error);
      throw error;
    }
    const steps = await this.patiently(() => stepsTo(tables, number, { ...wanted, settings }, roll.canaries));
    const over = await workers.roll(steps, { number, live: live?.number ?? 0 }, settings, roll.pauseMs);
    if (over.result === 'done') {
      await this.patiently(() => tables.finish(number, 'live', null));
      return { outcome: 'live', release: number, running: number, reason: null };
    }
    if (over.result === 'interrupted') {
      const reason = `${over.done} of ${over.of} steps were made; ${waysOn(wanted.reason, live)}`;
      return { outcome: 'interrupted', release: number, running: live?.number ?? null, reason };
    }
    return this.takeBack({ ...wanted, number, settings }, live, placed, over);
  }

  /** Makes ready what somebody took away, and waits until every worker runs. */
  private async keep({ number }: Release, settings: TopologySettings): Promise<Outcome> {
    const { tables, preparation, workers, ensureSupervisor } = this.options;
    await preparation.prepare(settings, []);
    await ensureSupervisor();
    const over = await workers.untilHealthy();
    const common = { release: number, running: number };
    if (over.result === 'interrupted') return { ...common, outcome: 'interrupted', reason: 'nothing was changed' };
    if (over.result !== 'done') return { ...common, outcome: 'failed', reason: over.reason };
    await this.patiently(() => tables.endKill());
    return { ...common, outcome: 'unchanged', reason: null };
  }

  /** Nothing would change. */
  private async isLive(live: Release, wanted: NewRelease, settings: TopologySettings): Promise<boolean> {
    const { tables } = this.options;
    if (!isSameRelease(live, wanted) || (await tables.unfinished()).length > 0) return false;
    return countOf(await stepsTo(tables, live.number, { ...wanted, settings }, 0)) === 0;
  }

  /** No worker was touched. If the database does not answer, the next deploy goes on with the release. */
  private async fail(number: number, error: unknown): Promise<void> {
    const { tables, lock, signal } = this.options;
    if (lock.lost.aborted || signal.aborted) return;
    await tables.finish(number, 'failed', reasonOf(error)).catch((reason: unknown) => {
      if (!(reason instanceof Unavailable)) throw reason;
    });
  }

  private async takeBack(
    { number, reason: why, settings }: Pick<Release, 'number' | 'reason'> & { readonly settings: TopologySettings },
    live: Release | null,
    placed: readonly PlacementRow[],
    { result, reason }: { readonly result: 'failed' | 'trouble'; readonly reason: string },
  ): Promise<Outcome> {
    const { tables, workers, report } = this.options;
    const earlier = placed.map(({ releaseNumber }) => releaseNumber).filter((one) => one !== number);
    const isFirst = live === null && earlier.length === 0;
    const running = live?.number ?? (isFirst ? null : Math.max(...earlier));
    const common = { release: number, running };
    report(`halted: ${reason}; going back${live === null ? '' : ` to release ${live.number}`}`);
    const over = isFirst
      ? await workers.end(endLimitMs(settings))
      : await workers.goBack(
          await this.patiently(() => stepsBack(tables, number, live, placed)),
          live?.number ?? number,
          placed,
        );
    if (over.result !== 'done') {
      const stopped = 'reason' in over ? over.reason : `${over.done} of ${over.of} steps were made`;
      const ways = live === null ? waysOn(why, null) : `\`downspout rollback ${live.number}\` goes on`;
      const text = `${reason}; going back stopped: ${stopped}. ${ways}`;
      return { ...common, outcome: 'interrupted', reason: text };
    }
    const outcome = result === 'failed' ? 'failed' : 'rolled_back';
    await this.patiently(() => tables.finish(number, outcome, reason));
    return { ...common, outcome, reason };
  }

  private patiently<T>(work: () => Promise<T>): Promise<T> {
    const { lock, signal } = this.options;
    return patiently({ ...this.options, signal: AbortSignal.any([signal, lock.lost]) }, work);
  }
}
