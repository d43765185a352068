import { basename } from 'node:path';
import { currentRelease } from '../../connectors/mysql/operators/releases';
import { Pool } from '../../connectors/mysql/sql/pool';
import type { Clock } from '../../topology/core/clock';
import { reasonOf, Unavailable, UserError } from '../../topology/core/errors';
import { nearestWord } from '../../topology/core/nearest-word';
import { readerUrl } from '../../topology/settings/connections';
import type { Environment } from '../../topology/settings/environment';
import {
  type BoltSettings,
  parseSpecification,
  readTopologyFile,
  type TopologySettings,
} from '../../topology/settings/topology-settings';

/** The topology whose workers are to run, so that every machine says the same of them. */
export interface RunningTopology {
  readonly settings: TopologySettings;
  /** `release 7`, or the topology file where no release is live. */
  readonly source: string;
  /** Why it is the file although a release may be live; null when that is known. */
  readonly doubt: string | null;
}

/** @throws UserError, Unavailable */
export async function runningTopology(pool: Pool, environment: Environment): Promise<RunningTopology> {
  const live = await currentRelease(pool);
  if (live === null) return topologyOfFile(environment, null);
  const source = `release ${live.number}`;
  return { settings: parseSpecification(live.specification, source), source, doubt: null };
}

/**
 * The same for those who can do without the database: when it does not answer, it is the file.
 * @throws UserError when there is something wrong with that
 */
export async function readRunningTopology(environment: Environment, clock: Clock): Promise<RunningTopology> {
  try {
    const pool = Pool.open(readerUrl(environment), { clock, size: 1 });
    try {
      return await runningTopology(pool, environment);
    } finally {
      await pool.close();
    }
  } catch (error) {
    if (!(error instanceof UserError || error instanceof Unavailable)) throw error;
    return topologyOfFile(environment, reasonOf(error));
  }
}

/** The bolt of a channel. @throws UserError when there is none, with what may have been meant */
export function requiredBolt({ settings: { bolts }, source }: RunningTopology, channel: string): BoltSettings {
  const bolt = Object.hasOwn(bolts, channel) ? bolts[channel] : undefined;
  if (bolt !== undefined) return bolt;
  const names = Object.keys(bolts);
  const near = nearestWord(channel, names);
  const hint = near === undefined ? '' : ` Did you mean ${near}?`;
  throw new UserError(`There is no bolt "${channel}" in ${source}.${hint} It has: ${names.join(', ') || 'none'}.`);
}

function topologyOfFile(environment: Environment, doubt: string | null): RunningTopology {
  const { DOWNSPOUT_TOPOLOGY: path, DOWNSPOUT_ENVIRONMENT: name } = environment;
  const { settings, files } = readTopologyFile({ path, environment: name });
  return { settings, source: files.map((file) => basename(file)).join(' with '), doubt };
}
