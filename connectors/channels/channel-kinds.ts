import type { Channel } from '../../bolts/channel';
import type { Clock } from '../../topology/core/clock';
import { UserError } from '../../topology/core/errors';
import type { ChannelClass } from '../../topology/message';
import type { ChannelName } from '../../topology/payloads';
import type { BoltSettings, TopologySettings } from '../../topology/settings/topology-settings';
import { SPOUT } from '../../topology/streams';
import type { SecretsOf } from './account-secrets';
import type { NetworkSettings } from './http/network';
import { WebhookChannel } from './webhook/webhook';
import { secretProblem } from './webhook/webhook-signature';

/** What channels are built from. */
export interface ChannelOptions {
  readonly clock: Clock;
  readonly network: NetworkSettings;
  /** The secrets of accounts on a channel. Throws Unavailable when they cannot be read now. */
  readonly secretsOf: (channel: string, accounts: readonly string[]) => ReturnType<SecretsOf>;
}

/** One kind of channel: what it promises about repeated requests, and how it is built for its component's settings. */
export interface ChannelKind<Class extends ChannelClass = ChannelClass, Name extends string = string> {
  readonly class: Class;
  /** What keeps a text from being the secret of an account; undefined when nothing does. */
  readonly secretProblem: (secret: string) => string | undefined;
  readonly build: (
    settings: BoltSettings,
    options: ChannelOptions,
  ) => Channel & { readonly class: Class; readonly name: Name };
}

/** By the channel's name. */
export type ChannelKinds = Readonly<Record<string, ChannelKind>>;

/** Every kind of channel that there is. What its messages contain is in topology/payloads.ts, under the same name. */
export const channelKinds = {
  webhook: kind('idempotent', secretProblem, (settings, options) => {
    const { clock, network } = options;
    const { timeoutMs, perOrigin } = settings;
    const secretsOf = (accounts: readonly string[]) => options.secretsOf('webhook', accounts);
    return new WebhookChannel({ timeoutMs, perOrigin, clock, network, secretsOf });
  }),
} satisfies { readonly [Name in ChannelName]: ChannelKind<ChannelClass, Name> };

/** A class or a name that differs from the channel's own does not compile. */
function kind<Class extends ChannelClass, Name extends string, Prepared>(
  channelClass: Class,
  problemOf: ChannelKind['secretProblem'],
  build: (
    settings: BoltSettings,
    options: ChannelOptions,
  ) => Channel<Prepared> & { readonly class: Class; readonly name: Name },
): ChannelKind<Class, Name> {
  // The bolt hands back to a channel only what that channel prepared.
  return { class: channelClass, secretProblem: problemOf, build: build as ChannelKind<Class, Name>['build'] };
}

/** What the channel of this name promises about repeated requests; undefined when there is no such channel. */
export function classOf(name: string): ChannelClass | undefined {
  return Object.hasOwn(channelKinds, name) ? channelKinds[name as ChannelName].class : undefined;
}

/**
 * Refuses a secret that the channel could not use, which would keep every message of the account from being sent.
 * @throws UserError that says nothing of the secret
 */
export function checkSecret(name: string, secret: string): void {
  const problem = Object.hasOwn(channelKinds, name)
    ? channelKinds[name as ChannelName].secretProblem(secret)
    : undefined;
  if (problem !== undefined) {
    throw new UserError(`secret: ${problem}. Expected whsec_ and 24 to 64 bytes in base64 for ${name}.`);
  }
}

/**
 * The channels that the topology names, by name. A channel that it does not name has no sender: its messages wait.
 * @throws UserError naming the component that is no channel
 */
export function channels(
  settings: TopologySettings,
  options: ChannelOptions,
  kinds: ChannelKinds = channelKinds,
): ReadonlyMap<string, Channel> {
  const { bolts } = settings;
  const unknown = Object.keys(bolts).filter((name) => !Object.hasOwn(kinds, name));
  if (unknown.length > 0) {
    const known = Object.keys(kinds).join(', ');
    throw new UserError(
      unknown
        .map((name) => `topology.yaml: components.${name}: expected ${SPOUT} or one of the channels ${known}`)
        .join('\n'),
    );
  }
  return new Map(
    Object.entries(bolts).map(([name, bolt]) => [name, (kinds[name] as ChannelKind).build(bolt, options)]),
  );
}
