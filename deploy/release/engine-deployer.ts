import type { DeployLock } from '../../connectors/mysql/operators/deploy-lock';
import type { NewRelease, Release } from '../../connectors/mysql/operators/releases';
import type { Clock } from '../../topology/core/clock';
import { reasonOf, UserError } from '../../topology/core/errors';
import { parseSpecification, type TopologySettings } from '../../topology/settings/topology-settings';
import {
  type Engine,
  type EngineRelease,
  type EngineRollout,
  GoingBackFailed,
  type Guard,
  Halted,
  NothingChanged,
  type Watch,
} from '../targets/engine';
import type { DeployTables } from './deploy-tables';
import type { Deployed } from './deployer';
import { EngineWatch } from './engine-watch';
import { guardOf } from './guard';
import { patiently } from './patiently';
import type { Preparation } from './preparation';
import { isSameRelease } from './same-release';
import { requireSameTarget } from './same-target';
import { isOlder } from './versions';
import { requireWayBack, wayOn, waysOnFrom } from './ways-on';

/** Of a release that is rolled out. */
interface Judged {
  readonly releaseNumber: number;
  /** Workers of it run already. */
  readonly isContinued: boolean;
}

export interface EngineDeployerOptions {
  readonly engine: Engine;
  readonly tables: Pick<
    DeployTables,
    'live' | 'unfinished' | 'placements' | 'begin' | 'finish' | 'endKill' | 'isDeactivated'
  >;
  /** @param restartTogether replaces the workers of a component at once */
  readonly preparation: (
    restartTogether: (component: string) => Promise<void>,
  ) => Pick<Preparation, 'growths' | 'prepare'>;
  readonly lock: Pick<DeployLock, 'describe' | 'lost' | 'check'>;
  /** Reads what was before the roll. @returns looks at how the workers do since, and says why the roll has to be halted, or null */
  readonly judge: (judged: Judged, channels: readonly string[]) => Promise<() => Promise<string | null>>;
  readonly clock: Pick<Clock, 'monotonic' | 'sleep'>;
  /** Aborts when the command is to end. */
  readonly signal: AbortSignal;
  readonly report: (text: string) => void;
}

/**
 * Deploys releases on the targets `kubernetes` and `compose`, under the lock: everything that workers need, then the release's
 * row, then the engine.
 *
 * 1. *A release whose workers do not become ready has failed, and one whose workers make errors or lateness rise was rolled back*: the
 *    one before it is still the one that runs. Where going back failed too, the release has no outcome yet.
 * 2. *A deploy that was killed is continued by the next one*, with the same release where it is the same.
 * 3. *A command that is ended, or has lost the right to deploy, changes nothing any more*: it does not go back either.
 * 4. *A database that stumbles changes no outcome* once the workers run.
 * 5. *Settings that would replace workers make a new release*, also where the topology says the same: it is watched, and can be taken back.
 */
export class EngineDeployer {
  private readonly guard: Guard;

  constructor(private readonly options: EngineDeployerOptions) {
    this.guard = guardOf(options.lock, options);
  }

  /**
   * @param pauseMs how long the workers of a stage are watched before others follow; 0: nobody watches, in the end neither
   * @throws UserError, Unavailable when something before the workers fails; the release is marked failed then
   */
  async deploy(wanted: NewRelease, pauseMs: number): Promise<Deployed> {
    const { tables, lock, report, engine, signal } = this.options;
    const settings = parseSpecification(wanted.specification, 'this release');
    const live = await tables.live();
    const unfinished = await tables.unfinished();
    requireSameTarget(wanted.target, [...(live === null ? [] : [live]), ...unfinished]);
    requireWayBack(wanted, live, unfinished);
    await this.refusePlaced(wanted.target);
    const running = live ?? unfinished.at(-1);
    // The workers that run begin again; those of the new release come after the pause.
    const preparation = this.options.preparation(async (component) => {
      if (running !== undefined) await engine.restart(component, engineRelease(running), this.guard);
    });
    const growths = await preparation.growths(settings);
    const isSame = live !== null && growths.length === 0 && isSameRelease(live, wanted) && unfinished.length === 0;
    const outdated = isSame ? await this.outdated({ ...wanted, number: live.number }) : [];
    const isLive = isSame && outdated.length === 0;
    const goesOn = (last: Release) => isSameRelease(last, wanted) && last.reason === wanted.reason;
    const number = isLive ? live.number : await tables.begin(wanted, goesOn);
    if (outdated.length > 0) report(`what workers have beside their release is other by now: ${outdated.join(', ')}`);
    if (!isLive) report(`release ${number}: ${wanted.reason}`);
    await lock.describe(`${wanted.reason} (release ${number})`);
    try {
      await preparation.prepare(settings, growths);
      signal.throwIfAborted();
    } catch (error) {
      const wasBegun = isLive || unfinished.some((one) => one.number === number);
      if (!wasBegun && !this.guard.signal.aborted) await tables.finish(number, 'failed', reasonOf(error));
      throw error;
    }
    const before = [...(live === null ? [] : [live]), ...unfinished];
    const rollout = {
      release: engineRelease({ ...wanted, number }),
      live: live === null ? null : engineRelease(live),
      unfinished: unfinished.map(engineRelease),
      isBack: before.some(({ packageVersion }) => isOlder(wanted.packageVersion, packageVersion)),
      guard: this.guard,
    };
    const isContinued = unfinished.some((one) => one.number === number);
    const watching = isLive
      ? async () => unwatched(this.guard)
      : () => this.watchOf(number, isContinued, settings, pauseMs);
    const ways = isLive ? wayOn(wanted.reason) : waysOnFrom(wanted, live);
    const failure = await this.run(rollout, ways, watching);
    // What an earlier deploy has begun runs on where this one did not come as far as the engine.
    const isMixed = failure instanceof GoingBackFailed || (failure instanceof NothingChanged && unfinished.length > 0);
    if (failure === null) await this.patiently(() => (isLive ? tables.endKill() : tables.finish(number, 'live', null)));
    const ended = failure instanceof Halted ? 'rolled_back' : 'failed';
    if (failure !== null && !isLive && !isMixed)
      await this.patiently(() => tables.finish(number, ended, failure.message));
    return {
      outcome: failure === null ? (isLive ? 'unchanged' : 'live') : isMixed ? 'interrupted' : ended,
      release: number,
      running: failure === null ? number : (live?.number ?? null),
      reason: failure === null ? null : failure.message,
      isDeactivated: await this.patiently(() => tables.isDeactivated()),
      leftOver: [],
    };
  }

  /** @throws UserError when the engine does not say it; the guard's reason */
  private async outdated(live: Pick<Release, 'number' | 'specification' | 'image'>): Promise<readonly string[]> {
    try {
      return await this.options.engine.outdated(engineRelease(live), this.guard);
    } catch (error) {
      // Its program was ended then, and what that says is not why.
      this.guard.signal.throwIfAborted();
      throw error;
    }
  }

  /**
   * @param ways what can be done where the command is ended
   * @returns why the workers do not run, or null
   * @throws the guard's reason, and the release has no outcome yet
   */
  private async run(
    rollout: Omit<EngineRollout, 'watch'>,
    ways: string,
    watching: () => Promise<Watch>,
  ): Promise<UserError | null> {
    try {
      await this.options.engine.deploy({ ...rollout, watch: await watching() });
      return null;
    } catch (error) {
      if (this.guard.signal.aborted) {
        this.options.report(`release ${rollout.release.number} has begun and is not done: ${ways}`);
        throw this.guard.signal.reason;
      }
      if (error instanceof UserError) return error;
      throw error;
    }
  }

  private async watchOf(
    releaseNumber: number,
    isContinued: boolean,
    { bolts, spout: { leadMs } }: TopologySettings,
    pauseMs: number,
  ): Promise<Watch> {
    const { clock, report } = this.options;
    const judge = await this.patiently(() => this.options.judge({ releaseNumber, isContinued }, Object.keys(bolts)));
    return new EngineWatch({ judge, clock, report, pauseMs, leadMs, isContinued, signal: this.guard.signal });
  }

  private patiently<T>(work: () => Promise<T>): Promise<T> {
    return patiently({ ...this.options, signal: this.guard.signal }, work);
  }

  private async refusePlaced(target: NewRelease['target']): Promise<void> {
    const placed = await this.options.tables.placements();
    if (placed.length === 0) return;
    throw new UserError(
      `${placed.length} workers of release ${placed[0]?.releaseNumber} are to run on the target local. End them first with ` +
        `\`downspout kill\`, then deploy to ${target}: messages wait in between.`,
    );
  }
}

const nothing = () => Promise.resolve();

/** Of a release that runs already: its workers are no news. */
function unwatched({ signal }: Guard): Watch {
  return { during: (work) => work(signal), look: nothing, replaced: nothing, end: nothing };
}

function engineRelease({
  number,
  specification,
  image,
}: Pick<Release, 'number' | 'specification' | 'image'>): EngineRelease {
  return { number, specification, image: image ?? '' };
}
