import { kindOf } from '../../connectors/channels/channel-kinds';
import { parseCredentials, textOf } from '../../connectors/channels/credentials';
import type { SecretStore } from '../../connectors/mysql/secrets/secret-store';
import type { Clock } from '../../topology/core/clock';
import { FakeProvider } from '../fakes/fake-provider';
import type { ReceivedRequest } from './arrivals';
import { type ProvidedName, providedAccounts, providedChannels, providedNames } from './provided-channels';
import { WatchedProvider } from './watched-provider';

interface Played {
  readonly channel: ProvidedName;
  readonly watched: WatchedProvider;
  readonly server: FakeProvider;
}

/** The providers of the demo's channels, played in this process: they get a message a second or so. */
export class DemoProviders {
  private constructor(private readonly played: readonly Played[]) {}

  /** @param run begins the keys of the demo's messages */
  static async start(clock: Clock, run: string): Promise<DemoProviders> {
    const played = providedNames.map(async (channel) => {
      const watched = new WatchedProvider(providedChannels[channel].play(clock, providedAccounts), clock, run);
      return { channel, watched, server: await FakeProvider.start(watched, clock) };
    });
    return new DemoProviders(await Promise.all(played));
  }

  /** What each was sent, by channel. */
  get received(): ReadonlyMap<string, readonly ReceivedRequest[]> {
    return new Map(this.played.map(({ channel, watched }) => [channel, watched.requests]));
  }

  /** Gives the accounts the credentials that the providers take, as `accounts set` does. */
  async connect(store: Pick<SecretStore, 'set'>): Promise<void> {
    for (const { channel, server } of this.played) {
      const schema = kindOf(channel)?.credentials;
      if (schema === undefined) throw new TypeError(`there is no channel ${channel}`);
      for (const account of providedAccounts) {
        const given = providedChannels[channel].credentials(account, server.url);
        const text = textOf(schema, parseCredentials(channel, schema, JSON.stringify(given)));
        await store.set(account, channel, text, { replace: true });
      }
    }
  }

  /** Forgets them: with this process the providers end. */
  async disconnect(store: Pick<SecretStore, 'remove'>): Promise<void> {
    for (const { channel } of this.played) {
      for (const account of providedAccounts) await store.remove(account, channel);
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.played.map(({ server }) => server.close()));
  }
}
