import type { Channel } from '../../bolts/channel';
import type { TopologySettings } from '../../topology/config';
import type { Clock } from '../../topology/core/clock';
import { WebhookChannel } from './webhook';

/** What channels are built from. */
export interface ChannelOptions {
  readonly settings: TopologySettings;
  readonly clock: Clock;
  /** Lets webhooks reach loopback, private and link-local addresses. Tests and the demo need it; nobody else does. */
  readonly allowPrivateAddresses: boolean;
  /** The secrets of those accounts on a channel that have one. Throws Unavailable when they cannot be read now. */
  readonly secretsOf: (channel: string, accounts: readonly string[]) => Promise<ReadonlyMap<string, string>>;
}

/** The channels that the topology names, by name. A channel that it does not name has no sender: its messages wait. */
export function channels(options: ChannelOptions): ReadonlyMap<string, Channel> {
  const built: Channel[] = [];
  const { webhook } = options.settings.components;
  if (webhook !== undefined) {
    built.push(
      new WebhookChannel({
        timeout: webhook.timeout,
        perHost: webhook.perHost,
        clock: options.clock,
        allowPrivateAddresses: options.allowPrivateAddresses,
        secretsOf: (accounts) => options.secretsOf('webhook', accounts),
      }) as Channel,
    );
  }
  return new Map(built.map((channel) => [channel.name, channel]));
}
