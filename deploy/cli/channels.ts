import type { KnownChannels } from '../../connectors/channels/loaded/load-channels';
import { knownChannels } from '../worker/known-channels';
import type { VerbContext } from './verb';

/** The channels that there are on this machine. What could not be loaded is said, because the verb may be about it. */
export function channelsFor({ settings, output }: VerbContext): KnownChannels {
  const known = knownChannels(settings.environment);
  for (const fault of known.faults) output.note(fault);
  return known;
}
