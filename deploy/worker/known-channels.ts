import { dirname } from 'node:path';
import { type KnownChannels, loadChannels, ownChannels } from '../../connectors/channels/loaded/load-channels';
import { UserError } from '../../topology/core/errors';
import type { Environment } from '../../topology/settings/environment';
import { type ReadTopology, readTopologyFile } from '../../topology/settings/topology-settings';

/** The channels that there are where this topology file lies. */
export function channelsOf({ settings, files }: Pick<ReadTopology, 'settings' | 'files'>): KnownChannels {
  return loadChannels(settings.channels, dirname(files[0] as string));
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
