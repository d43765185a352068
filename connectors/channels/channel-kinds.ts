import type { Channel } from '../../bolts/channel';
import type { Clock } from '../../topology/core/clock';
import { UserError } from '../../topology/core/errors';
import type { BoltSettings, TopologySettings } from '../../topology/settings/topology-settings';
import { WebhookChannel } from './webhook/webhook';

/** What channels are built from. */
export interface ChannelOptions {
  readonly clock: Clock;
  /** Lets webhooks reach loopback, private and link-local addresses. Tests and the demo need it; nobody else does. */
  readonly allowPrivateAddresses: boolean;
  /** The secrets of those accounts on a channel that have one. Throws Unavailable when they cannot be read now. */
  readonly secretsOf: (channel: string, accounts: readonly string[]) => Promise<ReadonlyMap<string, string>>;
}

/** How a channel is built, for its component's settings. */
type ChannelFactory = (settings: BoltSettings, options: ChannelOptions) => Channel;
/** By the channel's name. */
export type ChannelFactories = Readonly<Record<string, ChannelFactory>>;

/** Every kind of channel that there is. */
export const channelFactories = {
  webhook: (settings, options) =>
    new WebhookChannel({
      timeoutMs: settings.timeoutMs,
      perHost: settings.perHost,
      clock: options.clock,
      allowPrivateAddresses: options.allowPrivateAddresses,
      secretsOf: (accounts) => options.secretsOf('webhook', accounts),
    }) as Channel,
} satisfies ChannelFactories;

/**
 * The channels that the topology names, by name. A channel that it does not name has no sender: its messages wait.
 * @throws UserError naming the component that is no channel
 */
export function channels(
  settings: TopologySettings,
  options: ChannelOptions,
  factories: ChannelFactories = channelFactories,
): ReadonlyMap<string, Channel> {
  const { due: _, ...bolts } = settings.components;
  const unknown = Object.keys(bolts).filter((name) => !Object.hasOwn(factories, name));
  if (unknown.length > 0) {
    const known = Object.keys(factories).join(', ');
    throw new UserError(
      unknown
        .map((name) => `topology.yaml: components.${name}: expected due or one of the channels ${known}`)
        .join('\n'),
    );
  }
  return new Map(
    Object.entries(bolts).map(([name, bolt]) => [name, (factories[name] as ChannelFactory)(bolt, options)]),
  );
}
