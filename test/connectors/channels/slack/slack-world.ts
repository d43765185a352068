import { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { Channel } from '../../../../bolts/channel';
import { slack } from '../../../../connectors/channels/slack/slack';
import { FakeProvider } from '../../../../deploy/fakes/fake-provider';
import { FakeSlack, type FakeSlackOptions } from '../../../../deploy/fakes/slack';
import { systemClock } from '../../../../topology/core/clock';
import { topologySchema } from '../../../../topology/settings/topology-schema';
import type { Behaviour, ChannelWorld } from '../channel-battery';

export const TOKEN = 'xoxb-token-of-the-shop';
export const CONVERSATION = 'C0123456789';
type Write = (this: Socket, ...given: unknown[]) => boolean;

/** The channel and a fake of Slack. Accounts are `shop`, which has a token, `lost`, whose server is away, and others, which have none. */
export class SlackWorld {
  readonly channel: Channel;

  private constructor(
    readonly protocol: FakeSlack,
    readonly server: FakeProvider,
  ) {
    const accounts = new Map([
      ['shop', [JSON.stringify({ token: TOKEN, server: server.url })]],
      ['lost', [JSON.stringify({ token: TOKEN, server: 'http://127.0.0.1:1' })]],
    ]);
    const settings = topologySchema.parse({ components: { slack: { timeout: '300ms', perOrigin: 2 } } });
    this.channel = slack.build(settings.bolts['slack'] as never, {
      clock: systemClock,
      network: { allowPrivateAddresses: true },
      secretsOf: async (_, names) =>
        new Map(names.flatMap((name) => (accounts.has(name) ? [[name, accounts.get(name) as string[]]] : []))),
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

/** The world of the battery. */
export async function slackWorld(): Promise<ChannelWorld> {
  const world = await SlackWorld.open({ burst: 1_000 });
  const { channel, server } = world;
  const write = Object.getOwnPropertyDescriptor(Duplex.prototype, 'write')?.value as Write;
  let onWrite: (() => void) | undefined;
  const spy = jest.spyOn(Socket.prototype, 'write').mockImplementation(function (this: Socket, ...given: unknown[]) {
    if (String(given[0]).startsWith('POST ')) onWrite?.();
    return write.apply(this, given);
  });
  for (const [match, order] of [
    ['is busy', 'throttle'],
    ['drops', 'drop'],
    ['hangs', 'hang'],
    ['babbles', 'babble'],
    ['quotes', 'quote'],
  ] as const) {
    server.order({ do: order, match: `message that ${match}`, times: 1_000 });
  }
  return {
    channel: {
      name: channel.name,
      class: channel.class,
      acceptedWithin: channel.acceptedWithin,
      warm: (accounts) => channel.warm(accounts),
      prepare: (_, payload) => channel.prepare(payload.includes('message that away') ? 'lost' : 'shop', payload),
      originOf: (prepared) => channel.originOf(prepared),
      send: (prepared, attempt) => channel.send(prepared, attempt),
      close: () => channel.close(),
    },
    account: 'shop',
    payload: (behaviour: Behaviour) =>
      JSON.stringify({
        conversation: CONVERSATION,
        ...(behaviour === 'refuses'
          ? { text: 'a', replyTo: '1503435956.000247' }
          : { text: `message that ${behaviour}` }),
      }),
    bad: [
      ['{', 'payload: not JSON'],
      [JSON.stringify({ conversation: CONVERSATION, text: ' ' }), 'payload.text'],
      [
        JSON.stringify({ conversation: CONVERSATION, text: 'a'.repeat(40_001) }),
        'payload.text: expected at most 40000',
      ],
      [JSON.stringify({ conversation: '#general', text: 'a' }), 'payload.conversation'],
    ],
    written: () =>
      server.calls
        .filter(({ path }) => path === '/api/chat.postMessage')
        .map(({ body }) => (JSON.parse(String(body)) as { metadata: { event_payload: { key: string } } }).metadata)
        .map(({ event_payload }) => event_payload.key),
    onWrite(listener) {
      onWrite = listener;
    },
    secrets: [TOKEN],
    async close() {
      spy.mockRestore();
      await world.close();
    },
  };
}
