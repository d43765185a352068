import { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { AttemptContext, Channel } from '../../../../bolts/channel';
import { email } from '../../../../connectors/channels/email/email';
import type { NetworkSettings } from '../../../../connectors/channels/http/network';
import { FakeEmail } from '../../../../deploy/fakes/email';
import { type Clock, systemClock } from '../../../../topology/core/clock';
import { topologySchema } from '../../../../topology/settings/topology-schema';
import { StoredAccounts } from '../../../support/channels/stored-accounts';
import type { Behaviour, ChannelWorld } from '../channel-battery';

export const PASSWORD = 'correct horse; battery=staple';
const FROM = 'The Shop <shop@example.com>';
const TO = 'ann@example.org';
export const TIMEOUT_MS = 2_000;

/** The channel and a fake mail server. Accounts are `shop`, which has credentials, `lost`, whose server is away, and others, which have none. */
export class EmailWorld {
  readonly channel: Channel;
  private readonly accounts = new StoredAccounts();

  private constructor(
    readonly server: FakeEmail,
    clock: Clock,
    network: NetworkSettings,
    timeoutMs: number,
    mediaFolder?: string,
  ) {
    this.set('shop', {});
    this.set('lost', { port: '1' });
    const settings = topologySchema.parse({ components: { email: { timeout: timeoutMs } } });
    this.channel = email.build(settings.bolts['email'] as never, {
      clock,
      network,
      secretsOf: this.accounts.of,
      ...(mediaFolder !== undefined && { mediaFolder }),
    });
  }

  static async open(
    network: Partial<NetworkSettings> = {},
    clock = systemClock,
    timeoutMs = 20_000,
    mediaFolder?: string,
  ): Promise<EmailWorld> {
    const server = await FakeEmail.start({ clock: systemClock, users: { shop: PASSWORD } });
    return new EmailWorld(server, clock, { allowPrivateAddresses: true, ...network }, timeoutMs, mediaFolder);
  }

  /** As `downspout accounts set`. @param others than those of the fake server */
  set(account: string, others: object): void {
    this.accounts.set(account, this.credentials(others));
  }

  credentials(others: object = {}): object {
    const { port } = this.server;
    const usual = { host: '127.0.0.1', port: String(port), security: 'plain', user: 'shop', password: PASSWORD };
    return { ...usual, from: FROM, ...others };
  }

  send(payload: object, attempt: Partial<AttemptContext> = {}, account = 'shop') {
    const { channel } = this;
    return channel.send(channel.prepare(account, JSON.stringify({ to: TO, subject: 'Hello', ...payload })), {
      id: 1,
      account,
      dueAt: Date.UTC(2027, 0, 15, 8),
      inDoubt: false,
      idempotencyKey: 'downspout-0123456789abcdef-1-1',
      mayStart: () => true,
      now: () => systemClock.now(),
      ...attempt,
    });
  }

  /** What `downspout accounts test` asks. */
  whoAmI(others: object = {}) {
    const options = { timeoutMs: 1_000, perOrigin: 1, clock: systemClock, network: { allowPrivateAddresses: true } };
    return email.whoAmI?.(JSON.stringify(this.credentials(others)), options);
  }

  async close(): Promise<void> {
    await this.channel.close();
    await this.server.close();
  }
}

type Write = (this: Socket, ...given: unknown[]) => boolean;

/** The world of the battery. What counts as the request is the final dot of a mail. */
export async function emailWorld(): Promise<ChannelWorld> {
  const world = await EmailWorld.open({}, systemClock, TIMEOUT_MS);
  const { channel, server } = world;
  const write = Object.getOwnPropertyDescriptor(Duplex.prototype, 'write')?.value as Write;
  const written: string[] = [];
  let sending = '';
  let onWrite: (() => void) | undefined;
  const spy = jest.spyOn(Socket.prototype, 'write').mockImplementation(function (this: Socket, ...given: unknown[]) {
    if (this.remotePort === server.port && String(given[0]) === '.\r\n') {
      written.push(sending);
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
  server.refusals.set('nobody@example.org', '550 5.1.1 No such user');
  const payload = (behaviour: Behaviour) => ({
    to: behaviour === 'refuses' ? 'nobody@example.org' : TO,
    subject: 'a',
    text: `message that ${behaviour}`,
  });
  return {
    channel: {
      name: channel.name,
      class: channel.class,
      acceptedWithin: channel.acceptedWithin,
      warm: (accounts) => channel.warm(accounts),
      prepare: (_, text) => channel.prepare(text.includes('message that away') ? 'lost' : 'shop', text),
      originOf: (prepared) => channel.originOf(prepared),
      send: (prepared, attempt) => {
        sending = attempt.idempotencyKey;
        return channel.send(prepared, attempt);
      },
      close: () => channel.close(),
    },
    account: 'shop',
    payload: (behaviour) => JSON.stringify(payload(behaviour)),
    bad: [
      ['{', 'payload: not JSON'],
      [JSON.stringify({ to: 'ann', subject: 'a', text: 'a' }), 'payload.to: expected an address'],
      [JSON.stringify({ to: TO, subject: 'a\r\nBcc: b@example.org', text: 'a' }), 'payload.subject: expected one line'],
      [JSON.stringify({ to: TO, subject: 'a' }), 'payload.text'],
    ],
    written: () => written,
    onWrite(listener) {
      onWrite = listener;
    },
    secrets: [PASSWORD, Buffer.from(`\0shop\0${PASSWORD}`).toString('base64'), 'battery'],
    async close() {
      spy.mockRestore();
      await world.close();
    },
  };
}
