import type { Channel } from '../../bolts/channel';
import { UserError } from '../../topology/core/errors';
import type { ChannelClass } from '../../topology/message';
import type { ChannelName } from '../../topology/payloads/payloads';
import type { TopologySettings } from '../../topology/settings/topology-settings';
import { SPOUT } from '../../topology/streams';
import { bluesky } from './bluesky/bluesky';
import type { ChannelKind, ChannelKinds, ChannelOptions } from './channel-kind';
import { discord } from './discord/discord';
import { email } from './email/email';
import { linkedin } from './linkedin/linkedin';
import { mastodon } from './mastodon/mastodon';
import { slack } from './slack/slack';
import { telegram } from './telegram/telegram';
import { webhook } from './webhook/webhook';

/** Every channel that there is. What its messages contain is in topology/payloads, under the same name. */
export const channelKinds = { webhook, mastodon, telegram, discord, slack, linkedin, email, bluesky } satisfies {
  readonly [Name in ChannelName]: ChannelKind<Name>;
};

/** What the channel of this name promises about repeated requests; undefined when there is no such channel. */
export function classOf(name: string): ChannelClass | undefined {
  return kindOf(name)?.class;
}

/** For how long its provider de-duplicates by a key, milliseconds; undefined when for ever, or when there is no such channel. */
export function keyLifetimeOf(name: string): number | undefined {
  return kindOf(name)?.keyLifetimeMs;
}

/** The channel of this name; undefined when there is none. */
export function kindOf(name: string): ChannelKind | undefined {
  return Object.hasOwn(channelKinds, name) ? channelKinds[name as ChannelName] : undefined;
}

/**
 * The channels that the topology names, by name. A channel that it does not name has no sender: its messages wait.
 * @throws UserError naming the component that is no channel
 */
export function channels(
  settings: TopologySettings,
  options: ChannelOptions,
  kinds: ChannelKinds = channelKinds,
): ReadonlyMap<string, Channel> {
  const { bolts } = settings;
  const unknown = Object.keys(bolts).filter((name) => !Object.hasOwn(kinds, name));
  if (unknown.length > 0) {
    const known = Object.keys(kinds).join(', ');
    throw new UserError(
      unknown
        .map((name) => `topology.yaml: components.${name}: expected ${SPOUT} or one of the channels ${known}`)
        .join('\n'),
    );
  }
  return new Map(
    Object.entries(bolts).map(([name, bolt]) => [name, (kinds[name] as ChannelKind).build(bolt, options)]),
  );
}
