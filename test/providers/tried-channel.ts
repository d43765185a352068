import type { AttemptContext, Channel } from '../../bolts/channel';
import type { ChannelKind } from '../../connectors/channels/channel-kind';
import type { NetworkSettings } from '../../connectors/channels/http/network';
import { systemClock } from '../../topology/core/clock';
import { topologySchema } from '../../topology/settings/topology-schema';
import { StoredAccounts } from '../support/channels/stored-accounts';

/** Of a request; a server of a test's that has just been started may be slow. */
const TIMEOUT_MS = 20_000;

export const DUE = Date.UTC(2027, 0, 15, 8);

/** A channel as workers have it, whose accounts are on a real server. */
export class TriedChannel {
  readonly channel: Channel;
  private readonly accounts = new StoredAccounts();
  private readonly network: NetworkSettings;

  constructor(
    private readonly kind: ChannelKind,
    network: Partial<NetworkSettings> = {},
  ) {
    this.network = { allowPrivateAddresses: true, ...network };
    const settings = topologySchema.parse({ components: { [kind.name]: { timeout: TIMEOUT_MS } } });
    const options = { clock: systemClock, network: this.network, secretsOf: this.accounts.of };
    this.channel = kind.build(settings.bolts[kind.name] as never, options);
  }

  /** As `downspout accounts set`. */
  set(account: string, credentials: object): void {
    this.accounts.set(account, credentials);
  }

  /** One attempt of one message; a message is another one where its key is. */
  send(account: string, payload: object, attempt: Partial<AttemptContext> = {}) {
    const { channel } = this;
    return channel.send(channel.prepare(account, JSON.stringify(payload)), {
      id: 1,
      account,
      dueAt: DUE,
      inDoubt: false,
      idempotencyKey: 'downspout-0123456789abcdef-1-1',
      mayStart: () => true,
      now: () => systemClock.now(),
      ...attempt,
    });
  }

  /** What `downspout accounts test` asks. */
  whoAmI(credentials: object) {
    const options = { timeoutMs: TIMEOUT_MS, perOrigin: 1, clock: systemClock, network: this.network };
    return this.kind.whoAmI?.(JSON.stringify(credentials), options);
  }

  close(): Promise<void> {
    return this.channel.close();
  }
}
