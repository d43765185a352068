import { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { Channel } from '../../../../bolts/channel';
import { linkedin } from '../../../../connectors/channels/linkedin/linkedin';
import { FakeProvider } from '../../../../deploy/fakes/fake-provider';
import { FakeLinkedin, type FakeLinkedinOptions } from '../../../../deploy/fakes/linkedin';
import { systemClock } from '../../../../topology/core/clock';
import { topologySchema } from '../../../../topology/settings/topology-schema';
import type { Behaviour, ChannelWorld } from '../channel-battery';

export const TOKEN = 'token-of-the-shop';
export const SHOP = 'urn:li:organization:2414183';
export const PERSON_TOKEN = 'token-of-a-person';
export const PERSON = 'urn:li:person:abc_1';
type Write = (this: Socket, ...given: unknown[]) => boolean;

/**
 * The channel and a fake of LinkedIn. Accounts are `shop` of an organization, `person`, `other`, whose token is the shop's and whose
 * author is not, `lost`, whose server is away, and others, which have no credentials.
 */
export class LinkedinWorld {
  readonly channel: Channel;

  private constructor(
    readonly protocol: FakeLinkedin,
    readonly server: FakeProvider,
    apiVersion: string | undefined,
  ) {
    const stored = (author: string, token = TOKEN, at = server.url) => [JSON.stringify({ author, token, server: at })];
    const accounts = new Map([
      ['shop', stored(SHOP)],
      ['person', stored(PERSON, PERSON_TOKEN)],
      ['other', stored('urn:li:organization:7')],
      ['lost', stored(SHOP, TOKEN, 'http://127.0.0.1:1')],
    ]);
    const settings = topologySchema.parse({
      components: { linkedin: { timeout: '300ms', perOrigin: 2, ...(apiVersion && { apiVersion }) } },
    });
    this.channel = linkedin.build(settings.bolts['linkedin'] as never, {
      clock: systemClock,
      network: { allowPrivateAddresses: true },
      secretsOf: async (_, names) =>
        new Map(names.flatMap((name) => (accounts.has(name) ? [[name, accounts.get(name) as string[]]] : []))),
    });
  }

  static async open(options: Partial<FakeLinkedinOptions> = {}, apiVersion?: string): Promise<LinkedinWorld> {
    const tokens = { [TOKEN]: SHOP, [PERSON_TOKEN]: PERSON };
    const protocol = new FakeLinkedin({ clock: systemClock, tokens, ...options });
    return new LinkedinWorld(protocol, await FakeProvider.start(protocol, systemClock), apiVersion);
  }

  async close(): Promise<void> {
    await this.channel.close();
    await this.server.close();
  }
}

/** The world of the battery. No request of the protocol has a key, so the key of the send under way is noted when one is written. */
export async function linkedinWorld(): Promise<ChannelWorld> {
  const world = await LinkedinWorld.open();
  const { channel, server } = world;
  const write = Object.getOwnPropertyDescriptor(Duplex.prototype, 'write')?.value as Write;
  const written: string[] = [];
  let key = '';
  let onWrite: (() => void) | undefined;
  const spy = jest.spyOn(Socket.prototype, 'write').mockImplementation(function (this: Socket, ...given: unknown[]) {
    if (String(given[0]).startsWith('POST ')) {
      written.push(key);
      onWrite?.();
    }
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
      prepare(_, payload) {
        const account = /message that (?:away|refuses)/.exec(payload)?.[0];
        return channel.prepare(account === undefined ? 'shop' : account.endsWith('away') ? 'lost' : 'other', payload);
      },
      originOf: (prepared) => channel.originOf(prepared),
      send(prepared, attempt) {
        key = attempt.idempotencyKey;
        return channel.send(prepared, attempt);
      },
      close: () => channel.close(),
    },
    account: 'shop',
    payload: (behaviour: Behaviour) => JSON.stringify({ text: `message that ${behaviour}` }),
    bad: [
      ['{', 'payload: not JSON'],
      ['{"text":" "}', 'payload.text'],
      [JSON.stringify({ text: 'a'.repeat(3_001) }), 'payload.text: expected at most 3000'],
      ['{"text":"a","visibility":"all"}', 'payload.visibility'],
    ],
    written: () => written,
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
