import type { Channel } from '../../bolts/channel';
import { UserError } from '../../topology/core/errors';
import type { Limits } from '../../topology/core/limits';
import type { ChannelClass } from '../../topology/message';
import type { ChannelName } from '../../topology/payloads/payloads';
import type { TopologySettings } from '../../topology/settings/topology-settings';
import { SPOUT } from '../../topology/streams';
import { bluesky } from './bluesky/bluesky';
import type { ChannelKind, ChannelKinds, ChannelOptions } from './channel-kind';
import { discord } from './discord/discord';
import { email } from './email/email';
import { facebook } from './facebook/facebook';
import { instagram } from './instagram/instagram';
import { linkedin } from './linkedin/linkedin';
import { mastodon } from './mastodon/mastodon';
import { slack } from './slack/slack';
import { telegram } from './telegram/telegram';
import { threads } from './threads/threads';
import { webhook } from './webhook/webhook';
import { x } from './x/x';

/** Every channel that there is. What its messages contain is in topology/payloads, under the same name. */
export const channelKinds = {
  webhook,
  mastodon,
  telegram,
  discord,
  slack,
  linkedin,
  email,
  bluesky,
  x,
  facebook,
  instagram,
  threads,
} satisfies {
  readonly [Name in ChannelName]: ChannelKind<Name>;
};

/** What the channel of this name promises about repeated requests; undefined when there is no such channel. */
export function classOf(name: string, kinds: ChannelKinds = channelKinds): ChannelClass | undefined {
  return kindOf(name, kinds)?.class;
}

/** For how long its provider de-duplicates by a key, milliseconds; undefined when for ever, or when there is no such channel. */
export function keyLifetimeOf(name: string, kinds: ChannelKinds = channelKinds): number | undefined {
  return kindOf(name, kinds)?.keyLifetimeMs;
}

/** How long after its due time a message of this channel is worth sending, milliseconds; undefined when for ever. */
export function sendWithinOf(name: string, kinds: ChannelKinds = channelKinds): number | undefined {
  return kindOf(name, kinds)?.sendWithinMs;
}

/** What the provider of this channel is known to allow; undefined when nothing is known, or there is no such channel. */
export function limitsOf(name: string, kinds: ChannelKinds = channelKinds): Limits | undefined {
  return kindOf(name, kinds)?.limits;
}

/** The channel of this name; undefined when there is none. */
export function kindOf(name: string, kinds: ChannelKinds = channelKinds): ChannelKind | undefined {
  return Object.hasOwn(kinds, name) ? kinds[name] : undefined;
}

/** What a process knows of channels. */
interface Known {
  readonly kinds: ChannelKinds;
  /** Why channels of packages are not among them. */
  readonly faults: readonly string[];
}

/**
 * The channels that the topology names, by name. A channel that it does not name has no sender: its messages wait. So do those of
 * one that could not be loaded, unless it is for this process to send them.
 * @param components of this process
 * @throws UserError naming the component that is no channel, and what could not be loaded
 */
export function channels(
  { bolts }: TopologySettings,
  options: ChannelOptions,
  { kinds, faults }: Known = { kinds: channelKinds, faults: [] },
  components: readonly string[] = Object.keys(bolts),
): ReadonlyMap<string, Channel> {
  const isKnown = (name: string) => Object.hasOwn(kinds, name);
  const unknown = Object.keys(bolts).filter((name) => !isKnown(name));
  // Which name a package would have had is not known.
  const missing = faults.length === 0 ? unknown : unknown.filter((name) => components.includes(name));
  if (missing.length > 0) {
    const known = Object.keys(kinds).join(', ');
    const lines = missing.map(
      (name) => `topology.yaml: components.${name}: expected ${SPOUT} or one of the channels ${known}`,
    );
    const how = 'A channel of a package is named under `channels` in the topology.yaml of this machine.';
    throw new UserError([...lines, ...(faults.length === 0 ? [how] : faults)].join('\n'));
  }
  const named = Object.entries(bolts).filter(([name]) => isKnown(name));
  return new Map(named.map(([name, bolt]) => [name, (kinds[name] as ChannelKind).build(bolt, options)]));
}
