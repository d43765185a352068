import type { Channel } from '../../../../bolts/channel';
import { mastodon } from '../../../../connectors/channels/mastodon/mastodon';
import { FakeProvider } from '../../../../deploy/fakes/fake-provider';
import { FakeMastodon, type FakeMastodonOptions } from '../../../../deploy/fakes/mastodon';
import { type Clock, systemClock } from '../../../../topology/core/clock';
import { topologySchema } from '../../../../topology/settings/topology-schema';
import { StoredAccounts } from '../../../support/channels/stored-accounts';
import type { ChannelWorld } from '../channel-battery';
import { batteryWorld } from '../played-channel';

export const TOKEN = 'token-of-the-shop';
export const OTHER_TOKEN = 'newer-token-of-the-shop';

/** The channel and a fake server. Accounts are `shop`, which has a token, `lost`, whose server is away, and others, which have none. */
export class MastodonWorld {
  readonly channel: Channel;
  readonly accounts = new StoredAccounts();

  private constructor(
    readonly protocol: FakeMastodon,
    readonly server: FakeProvider,
    clock: Clock,
  ) {
    this.set('shop', TOKEN);
    this.accounts.set('lost', { instance: 'http://127.0.0.1:1', token: TOKEN });
    const settings = topologySchema.parse({ components: { mastodon: { timeout: '800ms', perOrigin: 2 } } });
    this.channel = mastodon.build(settings.bolts['mastodon'] as never, {
      clock,
      network: { allowPrivateAddresses: true },
      secretsOf: this.accounts.of,
    });
  }

  static async open(options: Partial<FakeMastodonOptions> = {}, clock: Clock = systemClock): Promise<MastodonWorld> {
    const tokens = { [TOKEN]: 'shop', [OTHER_TOKEN]: 'shop' };
    const protocol = new FakeMastodon({ clock: systemClock, tokens, ...options });
    return new MastodonWorld(protocol, await FakeProvider.start(protocol, systemClock), clock);
  }

  /** As `downspout accounts set`. */
  set(account: string, token: string): void {
    this.accounts.set(account, { instance: this.server.url, token });
  }

  async close(): Promise<void> {
    await this.channel.close();
    await this.server.close();
  }
}

/** The world of the battery. Keys are those that Mastodon was told. */
export async function mastodonWorld(): Promise<ChannelWorld> {
  const world = await MastodonWorld.open({ keyGapMs: 0 });
  const battery = batteryWorld(world, {
    payload: (text) => ({ text }),
    refused: { text: 'a', replyTo: '1' },
    bad: [
      ['{', 'payload: not JSON'],
      ['{"text":" "}', 'payload.text'],
      [JSON.stringify({ text: 'a'.repeat(501) }), 'payload.text: expected at most 500'],
      ['{"text":"a","visibility":"all"}', 'payload.visibility'],
    ],
    secrets: [TOKEN],
  });
  return {
    ...battery,
    written: () =>
      world.server.calls
        .filter(({ method }) => method === 'POST')
        .map(({ headers }) => String(headers['idempotency-key'])),
  };
}
