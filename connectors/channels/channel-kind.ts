import type { z } from 'zod';
import type { AskedRefresh, Lifetime } from '../../bolts/account-refreshes';
import type { Channel } from '../../bolts/channel';
import type { Clock } from '../../topology/core/clock';
import type { Limits } from '../../topology/core/limits';
import type { ChannelClass } from '../../topology/message';
import type { BoltSettings } from '../../topology/settings/topology-settings';
import type { SecretsOf } from './account-secrets';
import type { HttpCallerOptions } from './http/http-caller';
import type { NetworkSettings } from './http/network';

/**
 * Which of these receipts other messages of the account have: undefined while another worker sends one of them, which may have one that
 * is not written. Throws Unavailable when that cannot be read now.
 */
export type ReceiptsOfOthers = (asked: {
  readonly channel: string;
  readonly account: string;
  /** Of the message that is no other. */
  readonly id: number;
  readonly receipts: readonly string[];
  /** Epoch milliseconds: none of what they stand for was accepted before. */
  readonly notBefore: number;
}) => Promise<ReadonlySet<string> | undefined>;

/**
 * Asks for a refresh of an account's credentials, which the provider has refused. Throws Unavailable when that cannot be asked now.
 * @param generation of what was refused
 */
export type AskRefresh = (channel: string, account: string, generation: number) => Promise<AskedRefresh>;

/** What channels are built from. */
export interface ChannelOptions {
  readonly clock: Clock;
  readonly network: NetworkSettings;
  /** Below which messages may name files of this machine; undefined when they may name none. */
  readonly mediaFolder?: string | undefined;
  /** What is known of accounts on a channel. Throws Unavailable when it cannot be read now. */
  readonly secretsOf: (channel: string, accounts: readonly string[]) => ReturnType<SecretsOf>;
  /** Undefined where nobody refreshes credentials: then those that are refused make their account unusable. */
  readonly askRefresh?: AskRefresh;
  /** Undefined where no table is at hand: then only this worker's own messages are known. */
  readonly receiptsOfOthers?: ReceiptsOfOthers;
}

/** A channel before it is built: what is known of it without a worker. Each channel's folder exports one. */
export interface ChannelKind<Name extends string = string, Class extends ChannelClass = ChannelClass> {
  /** Of the channel, of its component and of its payload. */
  readonly name: Name;
  /** What it promises about repeated requests. */
  readonly class: Class;
  /** Of idempotent ones whose provider forgets keys: the built channel's `keyLifetimeMs`. */
  readonly keyLifetimeMs?: number;
  /**
   * How long after its due time a message is worth sending unless the topology says otherwise, milliseconds. A day where people read it,
   * whom an old one surprises; undefined, for ever, where a program takes it, which misses what does not come.
   */
  readonly sendWithinMs?: number;
  /** What its provider documents that it allows, unless the topology says otherwise; undefined where nothing certain is known. */
  readonly limits?: Limits;
  /** What an account needs. Each field is a text and says how it is asked for. */
  readonly credentials: z.ZodObject;
  /**
   * Where a lookup tells posts apart by what they contain: what of a post is its receipt, for people. Such a post is claimed by its
   * receipt, so one without is nobody's.
   */
  readonly receiptIs?: string;
  /** New credentials leave those before them valid, until `downspout accounts retire`. */
  readonly keepsEarlier: boolean;
  /**
   * Asks the provider whose the credentials are; nothing else happens. Undefined where there is nobody to ask.
   * @param text of the credentials, as they are kept
   */
  readonly whoAmI?: (text: string, options: HttpCallerOptions) => Promise<WhoAmI>;
  /**
   * When credentials end, as they say themselves.
   * @param text of the credentials, as they are kept
   */
  readonly lifetimeOf?: (text: string) => Lifetime;
  /** How long a refresh of credentials takes at most, milliseconds; undefined where they are not refreshed. */
  readonly refreshMs?: number;
  /** Builds it for its component's settings. */
  readonly build: (settings: BoltSettings, options: ChannelOptions) => Built<Name, Class>;
}

/** Whose credentials are, as the provider says; or why they do not serve, or could not be tried. */
export type WhoAmI = { readonly kind: 'ok'; readonly name: string } | { readonly kind: 'no'; readonly reason: string };

type Built<Name, Class, Prepared = unknown> = Channel<Prepared> & { readonly name: Name; readonly class: Class };

/** By the channel's name. */
export type ChannelKinds = Readonly<Record<string, ChannelKind>>;

/** A class or a name that differs from the built channel's own does not compile. */
export function channelKind<const Name extends string, const Class extends ChannelClass, Prepared>(
  kind: Omit<ChannelKind<Name, Class>, 'build'> & {
    readonly build: (settings: BoltSettings, options: ChannelOptions) => Built<Name, Class, Prepared>;
  },
): ChannelKind<Name, Class> {
  // The bolt hands back to a channel only what that channel prepared.
  return kind as ChannelKind<Name, Class>;
}
