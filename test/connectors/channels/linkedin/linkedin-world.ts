import type { Channel } from '../../../../bolts/channel';
import { linkedin } from '../../../../connectors/channels/linkedin/linkedin';
import { FakeProvider } from '../../../../deploy/fakes/fake-provider';
import { FakeLinkedin, type FakeLinkedinOptions } from '../../../../deploy/fakes/linkedin';
import { type Clock, systemClock } from '../../../../topology/core/clock';
import { topologySchema } from '../../../../topology/settings/topology-schema';
import { StoredAccounts } from '../../../support/channels/stored-accounts';
import type { ChannelWorld } from '../channel-battery';
import { batteryWorld } from '../played-channel';

export const TOKEN = 'token-of-the-shop';
export const SHOP = 'urn:li:organization:2414183';
export const PERSON_TOKEN = 'token-of-a-person';
export const PERSON = 'urn:li:person:abc_1';

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
    clock: Clock,
  ) {
    const accounts = new StoredAccounts();
    const { url } = server;
    accounts.set('shop', { author: SHOP, token: TOKEN, server: url });
    accounts.set('person', { author: PERSON, token: PERSON_TOKEN, server: url });
    accounts.set('other', { author: 'urn:li:organization:7', token: TOKEN, server: url });
    accounts.set('lost', { author: SHOP, token: TOKEN, server: 'http://127.0.0.1:1' });
    const settings = topologySchema.parse({
      components: { linkedin: { timeout: '800ms', perOrigin: 2, ...(apiVersion && { apiVersion }) } },
    });
    this.channel = linkedin.build(settings.bolts['linkedin'] as never, {
      clock,
      network: { allowPrivateAddresses: true },
      secretsOf: accounts.of,
    });
  }

  static async open(options: Partial<FakeLinkedinOptions> = {}, apiVersion?: string, clock: Clock = systemClock) {
    const tokens = { [TOKEN]: SHOP, [PERSON_TOKEN]: PERSON };
    const protocol = new FakeLinkedin({ clock: systemClock, tokens, ...options });
    return new LinkedinWorld(protocol, await FakeProvider.start(protocol, systemClock), apiVersion, clock);
  }

  async close(): Promise<void> {
    await this.channel.close();
    await this.server.close();
  }
}

/** The world of the battery. What LinkedIn refuses is a post of an author whose token it is not. */
export async function linkedinWorld(): Promise<ChannelWorld> {
  const world = await LinkedinWorld.open();
  const battery = batteryWorld(world, {
    payload: (text) => ({ text }),
    refused: { text: 'message that refuses' },
    bad: [
      ['{', 'payload: not JSON'],
      ['{"text":" "}', 'payload.text'],
      [JSON.stringify({ text: 'a'.repeat(3_001) }), 'payload.text: expected at most 3000'],
      ['{"text":"a","visibility":"all"}', 'payload.visibility'],
    ],
    secrets: [TOKEN],
  });
  const { channel } = battery;
  const prepare: typeof channel.prepare = (account, payload) =>
    payload.includes('message that refuses')
      ? world.channel.prepare('other', payload)
      : channel.prepare(account, payload);
  return { ...battery, channel: { ...channel, prepare } };
}
