import { dirname, resolve } from 'node:path';
import { type KnownChannels, loadChannels, ownChannels } from '../../connectors/channels/loaded/load-channels';
import { UserError } from '../../topology/core/errors';
import type { Environment } from '../../topology/settings/environment';
import type { FoundChannels } from '../../topology/settings/topology-faults';
import { type ReadTopology, readTopologyFile } from '../../topology/settings/topology-settings';

/** The channels that there are where this topology file lies. */
function channelsOf({ settings, files }: Pick<ReadTopology, 'settings' | 'files'>): KnownChannels {
  return loadChannels(settings.channels, dirname(resolve(files[0] as string)));
}

/** The names of the channels that there are, for a topology file that names these packages. */
export function findChannels(sources: readonly string[], folder: string): FoundChannels {
  const { kinds, missing } = loadChannels(sources, resolve(folder));
  return { names: Object.keys(kinds), missing };
}

/**
 * The channels that there are on this machine: ours, and those of the packages that its own topology file names. No row of the
 * database names code, so a release does not. What is wrong is among the faults, because other channels need none of it.
 */
export function knownChannels(environment: Environment): KnownChannels {
  const { DOWNSPOUT_TOPOLOGY: path, DOWNSPOUT_ENVIRONMENT: name } = environment;
  try {
    return channelsOf(readTopologyFile({ path, environment: name }));
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { ...ownChannels, faults: [`no channel of a package is loaded, because ${error.message}`] };
  }
}
