import type { Channel } from '../../../../bolts/channel';
import { slack } from '../../../../connectors/channels/slack/slack';
import { FakeProvider } from '../../../../deploy/fakes/fake-provider';
import { FakeSlack, type FakeSlackOptions } from '../../../../deploy/fakes/slack';
import { systemClock } from '../../../../topology/core/clock';
import { topologySchema } from '../../../../topology/settings/topology-schema';
import { StoredAccounts } from '../../../support/channels/stored-accounts';
import type { ChannelWorld } from '../channel-battery';
import { batteryWorld } from '../played-channel';

export const TOKEN = 'xoxb-token-of-the-shop';
export const CONVERSATION = 'C0123456789';

/** The channel and a fake of Slack. Accounts are `shop`, which has a token, `lost`, whose server is away, and others, which have none. */
export class SlackWorld {
  readonly channel: Channel;

  private constructor(
    readonly protocol: FakeSlack,
    readonly server: FakeProvider,
  ) {
    const accounts = new StoredAccounts();
    accounts.set('shop', { token: TOKEN, server: server.url });
    accounts.set('lost', { token: TOKEN, server: 'http://127.0.0.1:1' });
    const settings = topologySchema.parse({ components: { slack: { timeout: '800ms', perOrigin: 2 } } });
    this.channel = slack.build(settings.bolts['slack'] as never, {
      clock: systemClock,
      network: { allowPrivateAddresses: true },
      secretsOf: accounts.of,
    });
  }

  static async open(options: Partial<FakeSlackOptions> = {}): Promise<SlackWorld> {
    const protocol = new FakeSlack({ clock: systemClock, tokens: { [TOKEN]: 'shop' }, ...options });
    return new SlackWorld(protocol, await FakeProvider.start(protocol, systemClock));
  }

  async close(): Promise<void> {
    await this.channel.close();
    await this.server.close();
  }
}

/** The world of the battery. Keys are those that Slack was told. */
export async function slackWorld(): Promise<ChannelWorld> {
  const world = await SlackWorld.open({ burst: 1_000 });
  const battery = batteryWorld(world, {
    payload: (text) => ({ conversation: CONVERSATION, text }),
    refused: { conversation: CONVERSATION, text: 'a', replyTo: '1503435956.000247' },
    bad: [
      ['{', 'payload: not JSON'],
      [JSON.stringify({ conversation: CONVERSATION, text: ' ' }), 'payload.text'],
      [
        JSON.stringify({ conversation: CONVERSATION, text: 'a'.repeat(40_001) }),
        'payload.text: expected at most 40000',
      ],
      [JSON.stringify({ conversation: '#general', text: 'a' }), 'payload.conversation'],
    ],
    secrets: [TOKEN],
  });
  return {
    ...battery,
    written: () =>
      world.server.calls
        .filter(({ path }) => path === '/api/chat.postMessage')
        .map(({ body }) => (JSON.parse(String(body)) as { metadata: { event_payload: { key: string } } }).metadata)
        .map(({ event_payload }) => event_payload.key),
  };
}
