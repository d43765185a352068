import { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { AttemptContext, Channel, LookupContext, ReadyContext } from '../../../bolts/channel';
import type { ChannelKind, ReceiptsOfOthers } from '../../../connectors/channels/channel-kind';
import { type FakeProtocol, FakeProvider } from '../../../deploy/fakes/fake-provider';
import { type Clock, systemClock } from '../../../topology/core/clock';
import { topologySchema } from '../../../topology/settings/topology-schema';
import { MemoryKeeping } from '../../support/channels/memory-keeping';
import { StoredAccounts } from '../../support/channels/stored-accounts';
import type { Behaviour, ChannelWorld } from './channel-battery';

type Write = (this: Socket, ...given: unknown[]) => boolean;

interface PlayedOptions {
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly receiptsOfOthers?: ReceiptsOfOthers;
}

/**
 * A provider's channel and its fake. Accounts are `shop`, which has credentials, `lost`, whose server is away, and others, which
 * have none.
 */
export class PlayedChannel<Protocol extends FakeProtocol> {
  readonly channel: Channel;
  readonly accounts = new StoredAccounts();

  private constructor(
    readonly kind: ChannelKind,
    readonly protocol: Protocol,
    readonly server: FakeProvider,
    credentials: object,
    { clock, timeoutMs, receiptsOfOthers }: PlayedOptions,
  ) {
    this.set('shop', credentials);
    this.accounts.set('lost', { ...credentials, server: 'http://127.0.0.1:1' });
    const settings = topologySchema.parse({ components: { [kind.name]: { timeout: timeoutMs, perOrigin: 2 } } });
    this.channel = kind.build(settings.bolts[kind.name] as never, {
      clock,
      network: { allowPrivateAddresses: true },
      secretsOf: this.accounts.of,
      ...(receiptsOfOthers && { receiptsOfOthers }),
    });
  }

  /**
   * @param credentials of `shop`, without the server
   * @param timeoutMs of a request
   * @param receiptsOfOthers what the table says
   */
  static async open<P extends FakeProtocol>(
    kind: ChannelKind,
    protocol: P,
    credentials: object,
    clock = systemClock,
    timeoutMs = 800,
    receiptsOfOthers?: ReceiptsOfOthers,
  ) {
    const server = await FakeProvider.start(protocol, systemClock);
    const options = { clock, timeoutMs, ...(receiptsOfOthers && { receiptsOfOthers }) };
    return new PlayedChannel<P>(kind, protocol, server, credentials, options);
  }

  /** As `downspout accounts set`. */
  set(account: string, credentials: object): void {
    this.accounts.set(account, { ...credentials, server: this.server.url });
  }

  send(payload: object, attempt: Partial<AttemptContext> = {}, account = 'shop') {
    const { channel } = this;
    return channel.send(channel.prepare(account, JSON.stringify(payload)), {
      ...contextOf(account),
      mayStart: () => true,
      ...attempt,
    });
  }

  lookUp(payload: object, attempt: Partial<LookupContext> = {}, account = 'shop') {
    const { channel } = this;
    const context: LookupContext = { ...contextOf(account), inDoubt: true, notBefore: systemClock.now(), ...attempt };
    return channel.lookup?.(channel.prepare(account, JSON.stringify(payload)), context);
  }

  /** What the bolt does before the instant; undefined where there is nothing to do. */
  makeReady(payload: object, attempt: Pick<ReadyContext, 'kept'> & Partial<ReadyContext>, account = 'shop') {
    const { channel } = this;
    const prepared = channel.prepare(account, JSON.stringify(payload));
    if (channel.readying?.isFor(prepared) !== true) return undefined;
    const { inDoubt: _, ...context } = contextOf(account);
    return channel.readying.make(prepared, { ...context, mayStart: () => true, ...attempt });
  }

  /** What `downspout accounts test` asks. */
  whoAmI(credentials: object) {
    const options = { timeoutMs: 1_000, perOrigin: 1, clock: systemClock, network: { allowPrivateAddresses: true } };
    return this.kind.whoAmI?.(JSON.stringify({ ...credentials, server: this.server.url }), options);
  }

  async close(): Promise<void> {
    await this.channel.close();
    await this.server.close();
  }
}

/** What differs from channel to channel in the battery. */
interface Battery {
  /** A payload with this text. */
  readonly payload: (text: string) => object;
  /** A payload that the fake refuses. */
  readonly refused: object;
  readonly bad: ChannelWorld['bad'];
  readonly secrets: readonly string[];
  /** The beginning of the request that makes a message visible, where others are written too. */
  readonly message?: RegExp;
}

/** The world of the battery. Keys are those of the attempts whose requests were written: not every provider is told of them. */
export function batteryWorld(
  world: Pick<PlayedChannel<FakeProtocol>, 'channel' | 'server' | 'close'>,
  battery: Battery,
): ChannelWorld {
  const { channel, server } = world;
  const write = Object.getOwnPropertyDescriptor(Duplex.prototype, 'write')?.value as Write;
  const written: string[] = [];
  let sending = '';
  let onWrite: (() => void) | undefined;
  const spy = jest.spyOn(Socket.prototype, 'write').mockImplementation(function (this: Socket, ...given: unknown[]) {
    // What is sent before the battery begins opens what it needs, as a session.
    if (sending !== '' && (battery.message ?? /^POST /).test(String(given[0]))) {
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
  return {
    channel: {
      name: channel.name,
      class: channel.class,
      acceptedWithin: channel.acceptedWithin,
      warm: (accounts) => channel.warm(accounts),
      prepare: (_, payload) => channel.prepare(payload.includes('message that away') ? 'lost' : 'shop', payload),
      originOf: (prepared) => channel.originOf(prepared),
      send: (prepared, attempt) => {
        sending = attempt.idempotencyKey;
        return channel.send(prepared, { kept: new MemoryKeeping(), ...attempt });
      },
      close: () => channel.close(),
    },
    account: 'shop',
    payload: (behaviour: Behaviour) =>
      JSON.stringify(behaviour === 'refuses' ? battery.refused : battery.payload(`message that ${behaviour}`)),
    bad: battery.bad,
    written: () => written,
    onWrite(listener) {
      onWrite = listener;
    },
    secrets: battery.secrets,
    async close() {
      spy.mockRestore();
      await world.close();
    },
  };
}

const now = () => systemClock.now();

function contextOf(account: string) {
  return { id: 1, account, dueAt: now(), inDoubt: false, idempotencyKey: 'downspout-0123456789abcdef-1-1', now };
}
