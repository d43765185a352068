import type { DeployLock } from '../../connectors/mysql/operators/deploy-lock';
import { currentRelease, unfinishedReleases } from '../../connectors/mysql/operators/releases';
import type { Pool } from '../../connectors/mysql/sql/pool';
import type { Clock } from '../../topology/core/clock';
import type { Environment } from '../../topology/settings/environment';
import { settingsOrNull, type TopologySettings } from '../../topology/settings/topology-settings';
import { SPOUT } from '../../topology/streams';
import { withKafka } from '../inspect/kafka';
import { provision } from '../provision';
import { type Growth, growthsOf, partitionsNow } from './growths';
import { sayingHalfGrown } from './half-grown';
import { Repartition } from './repartition';

export interface PreparationOptions {
  readonly environment: Environment;
  readonly clock: Clock;
  readonly pool: Pool;
  readonly lock: Pick<DeployLock, 'transaction' | 'check'>;
  /** Aborts when the command is to end, also because the lock was lost. */
  readonly signal: AbortSignal;
  readonly report: (text: string) => void;
  /** Replaces all workers of a component at once. */
  readonly restartTogether: (component: string) => Promise<void>;
}

/** What workers need beside their release: schema, users, topics with enough partitions, the connector. */
export class Preparation {
  constructor(private readonly options: PreparationOptions) {}

  /** How many partitions each stream has, and is to have. */
  partitions(settings: TopologySettings): Promise<Growth[]> {
    return partitionsNow(this.options.environment, settings);
  }

  /** The streams that have fewer partitions than they are to have. @throws UserError for one that has more */
  growths(settings: TopologySettings): Promise<Growth[]> {
    return growthsOf(this.options.environment, settings);
  }

  /** Makes everything ready, before any worker starts. */
  async prepare(settings: TopologySettings, growths: readonly Growth[]): Promise<void> {
    const { environment, clock, lock, signal, report, restartTogether } = this.options;
    const mayGoOn = async () => {
      signal.throwIfAborted();
      await lock.check();
    };
    const told = (step: string, text: string) => report(`${step}: ${text}`);
    const register = () => provision(environment, settings, clock, told, { mayGoOn });
    const repartition = new Repartition({
      ...this.options,
      settings,
      running: growths.length === 0 ? [] : await this.running(),
      kafka: (work) => withKafka(environment, work),
    });
    for (const growth of growths.filter(({ component }) => component !== SPOUT)) await repartition.growDue(growth);
    const ofChanges = growths.find(({ component }) => component === SPOUT);
    if (ofChanges === undefined) await register();
    // All spouts at once, because nothing is emitted meanwhile.
    else
      await repartition.growChanges(
        ofChanges,
        () => sayingHalfGrown(ofChanges, register),
        () => restartTogether(SPOUT),
      );
  }
  /** What workers may run: a request ends within the time-out with which its worker was started. */
  private async running(): Promise<TopologySettings[]> {
    const { pool } = this.options;
    const live = await currentRelease(pool);
    const releases = [...(live === null ? [] : [live]), ...(await unfinishedReleases(pool))];
    return releases.flatMap(({ specification }) => settingsOrNull(specification) ?? []);
  }
}
