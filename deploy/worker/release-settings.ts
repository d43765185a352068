import { readRelease } from '../../connectors/mysql/operators/releases';
import { Pool } from '../../connectors/mysql/sql/pool';
import type { Clock } from '../../topology/core/clock';
import { reasonOf, Unavailable } from '../../topology/core/errors';
import type { WorkerPlace } from '../../topology/runtime/worker-registry';
import { type Environment, required } from '../../topology/settings/environment';
import { parseSpecification, type TopologySettings } from '../../topology/settings/topology-settings';

const FIRST_RETRY_MS = 250;
const MAX_RETRY_MS = 2_000;

/**
 * The settings that a worker runs with: those it was given, or those of its release, for which the database is waited for.
 * @param onWait takes what is waited for
 * @returns null when the signal aborted first
 * @throws UserError for a release that is not there, or that this version cannot read
 */
export async function settingsOf(
  { settings, environment }: { settings: TopologySettings | WorkerPlace; environment: Environment },
  { clock, signal }: { clock: Clock; signal: AbortSignal },
  onWait: (reason: string) => void,
): Promise<TopologySettings | null> {
  if (!('releaseNumber' in settings)) return settings;
  const { releaseNumber } = settings;
  const pool = Pool.open(required(environment, 'WORKER_DATABASE_URL'), { clock, size: 1, patient: true });
  try {
    for (let delayMs = FIRST_RETRY_MS; !signal.aborted; delayMs = Math.min(MAX_RETRY_MS, delayMs * 2)) {
      try {
        const release = await readRelease(pool, releaseNumber);
        return parseSpecification(release.specification, `release ${releaseNumber}`);
      } catch (error) {
        if (!(error instanceof Unavailable)) throw error;
        onWait(`waits for release ${releaseNumber}: ${reasonOf(error)}`);
      }
      await clock.sleep(delayMs, signal);
    }
    return null;
  } finally {
    await pool.close();
  }
}
