import type { DeployLock } from '../../connectors/mysql/operators/deploy-lock';
import type { NewRelease, Release } from '../../connectors/mysql/operators/releases';
import { reasonOf, UserError } from '../../topology/core/errors';
import { parseSpecification, type TopologySettings } from '../../topology/settings/topology-settings';
import type { DeployTables } from './deploy-tables';
import { type Deployed, isSameRelease } from './deployer';
import type { Preparation } from './preparation';

/** Makes the workers of a release run elsewhere. @throws UserError after it went back to what ran before */
export type Engine = (release: number, settings: TopologySettings) => Promise<void>;

export interface EngineDeployerOptions {
  readonly engine: Engine;
  readonly tables: Pick<
    DeployTables,
    'live' | 'unfinished' | 'placements' | 'begin' | 'finish' | 'endKill' | 'isDeactivated'
  >;
  /** @param restartTogether replaces the workers of a component at once */
  readonly preparation: (restartTogether: () => Promise<void>) => Pick<Preparation, 'growths' | 'prepare'>;
  readonly lock: Pick<DeployLock, 'describe' | 'lost'>;
  /** Aborts when the command is to end. */
  readonly signal: AbortSignal;
  readonly report: (text: string) => void;
}

/**
 * Deploys releases on the targets `kubernetes` and `compose`, under the lock: everything that workers need, then the release's
 * row, then the engine.
 *
 * 1. *A release whose workers do not become ready has failed*, and the one before it is still the one that runs.
 * 2. *A deploy that was killed is continued by the next one*, with the same release where it is the same.
 */
export class EngineDeployer {
  constructor(private readonly options: EngineDeployerOptions) {}

  /** @throws UserError, Unavailable when something before the workers fails; the release is marked failed then */
  async deploy(wanted: NewRelease): Promise<Deployed> {
    const { tables, lock, report, engine, signal } = this.options;
    const settings = parseSpecification(wanted.specification, 'this release');
    await this.refuseLocal(wanted.target);
    const live = await tables.live();
    let number = 0;
    // Where spouts have to begin again, the roll itself is what replaces them.
    const preparation = this.options.preparation(() => engine(number, settings));
    const growths = await preparation.growths(settings);
    const isLive =
      live !== null && growths.length === 0 && isSameRelease(live, wanted) && (await tables.unfinished()).length === 0;
    number = isLive ? live.number : await tables.begin(wanted, (last) => isSameRelease(last, wanted));
    if (!isLive) report(`release ${number}: ${wanted.reason}`);
    await lock.describe(`${wanted.reason} (release ${number})`);
    try {
      await preparation.prepare(settings, growths);
      signal.throwIfAborted();
    } catch (error) {
      if (!isLive && !lock.lost.aborted && !signal.aborted) await tables.finish(number, 'failed', reasonOf(error));
      throw error;
    }
    const reason = await this.run(number, settings);
    if (reason === null) await (isLive ? tables.endKill() : tables.finish(number, 'live', null));
    else if (!isLive) await tables.finish(number, 'failed', reason);
    return {
      outcome: reason !== null ? 'failed' : isLive ? 'unchanged' : 'live',
      release: number,
      running: reason === null ? number : (live?.number ?? null),
      reason,
      isDeactivated: await tables.isDeactivated(),
      leftOver: [],
    };
  }

  /** @returns why the workers do not run, or null */
  private async run(number: number, settings: TopologySettings): Promise<string | null> {
    try {
      await this.options.engine(number, settings);
      return null;
    } catch (error) {
      if (error instanceof UserError) return error.message;
      throw error;
    }
  }

  private async refuseLocal(target: NewRelease['target']): Promise<void> {
    const placed = await this.options.tables.placements();
    if (placed.length === 0) return;
    throw new UserError(
      `${placed.length} workers of release ${placed[0]?.releaseNumber} are to run on the target local. End them first with ` +
        `\`downspout kill\`, then deploy to ${target}: messages wait in between.`,
    );
  }
}

/** @throws UserError for a release whose workers another engine runs */
export function requireLocal(release: Release): Release {
  if (release.target === 'local') return release;
  throw new UserError(
    `Release ${release.number} runs on ${release.target}. Change topology.yaml, or give another --image, and run ` +
      `\`downspout deploy --target ${release.target}\`: it replaces the workers there.`,
  );
}
