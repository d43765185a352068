import type { Clock } from '../../topology/core/clock';
import type { Payload } from '../../topology/payloads/payloads';
import { FakeBluesky } from '../fakes/bluesky';
import type { FakeProtocol } from '../fakes/fake-provider';
import { FakeMastodon } from '../fakes/mastodon';
import { FakeSlack } from '../fakes/slack';

/** What the demo needs of a channel with a provider: who plays the provider, and what its accounts and messages look like. */
interface ProvidedChannel<Content> {
  readonly play: (clock: Clock, accounts: readonly string[]) => FakeProtocol;
  /** As a person gives them to `accounts set`. */
  readonly credentials: (account: string, url: string) => Readonly<Record<string, string>>;
  readonly payload: (account: string, text: string) => Content;
}

/**
 * Channels whose messages leave beside the webhooks. Of each an earlier attempt can be settled without a person, so that whoever kills
 * a worker sees every message delivered in the end.
 */
export const providedChannels: { readonly [C in ProvidedName]: ProvidedChannel<Payload<C>> } = {
  mastodon: {
    play: (clock, accounts) => new FakeMastodon({ clock, tokens: byToken(accounts) }),
    credentials: (account, url) => ({ instance: url, token: tokenOf(account) }),
    payload: (_account, text) => ({ text }),
  },
  bluesky: {
    play: (clock, accounts) =>
      new FakeBluesky({
        clock,
        passwords: Object.fromEntries(accounts.map((account) => [handleOf(account), tokenOf(account)])),
      }),
    credentials: (account, url) => ({ identifier: handleOf(account), password: tokenOf(account), server: url }),
    payload: (_account, text) => ({ text }),
  },
  slack: {
    play: (clock, accounts) => new FakeSlack({ clock, tokens: byToken(accounts) }),
    credentials: (account, url) => ({ token: tokenOf(account), server: url }),
    payload: (account, text) => ({ conversation: `C${account.toUpperCase().replaceAll(/[^A-Z0-9]/g, '')}`, text }),
  },
};

export type ProvidedName = 'mastodon' | 'bluesky' | 'slack';
export const providedNames = Object.keys(providedChannels) as readonly ProvidedName[];

/** Of each of the channels. */
export const providedAccounts: readonly string[] = ['demo-acme', 'demo-bistro', 'demo-clinic'];

/** The fakes keep nothing, so these are no secrets. */
function tokenOf(account: string): string {
  return `token-of-${account}`;
}

function byToken(accounts: readonly string[]): Record<string, string> {
  return Object.fromEntries(accounts.map((account) => [tokenOf(account), account]));
}

function handleOf(account: string): string {
  return `${account}.test`;
}
