import type { Channel } from '../../../../bolts/channel';
import { checkDefinition, type SendTools } from '../../../../connectors/channels/loaded/definition';
import { loadedKind } from '../../../../connectors/channels/loaded/loaded-kind';
import { type Trial, tryChannel } from '../../../../connectors/channels/loaded/trial';
import { FakeProvider } from '../../../../deploy/fakes/fake-provider';
import { systemClock } from '../../../../topology/core/clock';
import { topologySchema } from '../../../../topology/settings/topology-schema';
import { FakeSms } from '../../../support/channels/fake-sms';
import sms from './example/downspout-sms';

export const TOKEN = 'token-of-the-shop';
export const message = { to: '+4915112345678', text: 'a' };
/** Of a request that is answered at once, milliseconds. */
const PATIENT_MS = 5_000;

/** What `send` of the example is given. */
export type Tools = SendTools<{ server: string; token: string }>;
type Changes = Readonly<Record<string, unknown>>;

/** Says when a request has come to it, and answers when it may. */
class WatchedSms extends FakeSms {
  private onCall = () => {};
  private held: Promise<unknown> = Promise.resolve();

  /** The next request is answered after this. */
  hold(until: Promise<unknown>): void {
    this.held = until;
  }

  nextCall(): Promise<void> {
    return new Promise((resolve) => {
      this.onCall = resolve;
    });
  }

  override async handle(...given: Parameters<FakeSms['handle']>): ReturnType<FakeSms['handle']> {
    const { held } = this;
    this.held = Promise.resolve();
    this.onCall();
    await held;
    return super.handle(...given);
  }
}

/** The gateway of the example, and channels that are the example with some of it replaced by what no compiler has seen. */
export class PackageWorld {
  private readonly opened: Pick<Channel, 'close'>[] = [];

  private constructor(
    readonly gateway: WatchedSms,
    readonly server: FakeProvider,
  ) {}

  static async open(): Promise<PackageWorld> {
    const gateway = new WatchedSms({ [TOKEN]: 'shop' });
    return new PackageWorld(gateway, await FakeProvider.start(gateway, systemClock));
  }

  /** As its author tries it. */
  trial(changes: Changes, { timeoutMs = PATIENT_MS, token = TOKEN } = {}): Trial {
    const opened = tryChannel({ ...sms, ...changes }, { credentials: { server: this.server.url, token }, timeoutMs });
    this.opened.push(opened);
    return opened;
  }

  /** The same, of which only `send` is another one. */
  sending(send: (tools: Tools) => unknown, timeoutMs = PATIENT_MS): Trial {
    return this.trial({ send: (_: unknown, tools: Tools) => send(tools) }, { timeoutMs });
  }

  /** As a worker builds it. Its account is `shop`. */
  built(changes: Changes, perOrigin = 1): Channel {
    const kind = loadedKind(checkDefinition({ ...sms, ...changes }, 'sms', []));
    const { bolts } = topologySchema.parse({ components: { sms: { timeout: PATIENT_MS, perOrigin } } });
    const secrets = [JSON.stringify({ server: this.server.url, token: TOKEN })];
    const channel = kind.build(bolts['sms'] as NonNullable<(typeof bolts)[string]>, {
      clock: systemClock,
      network: { allowPrivateAddresses: true },
      secretsOf: async () => new Map([['shop', { secrets, generation: 1, blocked: undefined }]]),
    });
    this.opened.push(channel);
    return channel;
  }

  async close(): Promise<void> {
    await Promise.all(this.opened.map((one) => one.close()));
    await this.server.close();
  }
}

/** The request of the example. */
export function requestOf({ credentials: { server, token }, idempotencyKey }: Tools) {
  return {
    method: 'POST' as const,
    url: new URL('/v1/messages', server),
    headers: { authorization: `Bearer ${token}`, 'idempotency-key': idempotencyKey },
    json: message,
  };
}

const now = () => systemClock.now();

/** An attempt as the bolt makes it. */
export function attempt(mayStart = () => true) {
  return { id: 1, account: 'shop', idempotencyKey: 'key-1', dueAt: 0, inDoubt: false, mayStart, now };
}

export function throwing(): never {
  throw new TypeError('this is not what it seems');
}

export function forever(): Promise<never> {
  return new Promise<never>(() => undefined);
}
