import type { z } from 'zod';
import type { AttemptContext, Channel, LookupAnswer, LookupContext } from '../../../bolts/channel';
import { BadRecord, reasonOf } from '../../../topology/core/errors';
import type { ChannelClass, Outcome } from '../../../topology/message';
import {
  type ChannelName,
  MAX_STORED_PAYLOAD_BYTES,
  type Payload,
  parsePayload,
} from '../../../topology/payloads/payloads';
import type { BoltSettings } from '../../../topology/settings/topology-settings';
import { AccountSecrets } from '../account-secrets';
import { type ChannelKind, type ChannelOptions, channelKind, type WhoAmI } from '../channel-kind';
import { readCredentials, secretsIn } from '../credentials';
import { HttpCaller } from '../http/http-caller';
import { type Api, apiOf } from './api';
import { RefusedCredentials } from './refused-credentials';

/** What every call of a provider's channel is given. */
interface Asking<Credentials> {
  readonly account: string;
  readonly credentials: Credentials;
  /** Of the provider's API, where the topology names one. */
  readonly apiVersion?: string | undefined;
  /** Makes a request of which nobody sees an effect. */
  readonly ask: Api;
}

/** What making a message visible is given. */
interface Sending<Credentials> extends Asking<Credentials>, Omit<AttemptContext, 'mayStart'> {
  /**
   * Makes the one request that can make the message visible: it asks the bolt in the tick of its write. Called again only
   * after an answer that says that nothing was taken.
   */
  readonly publish: Api;
}

export type Looking<Credentials> = Asking<Credentials> & LookupContext;

/** A channel over HTTP to one provider: what differs from provider to provider. All of it is a function of what it is given. */
export interface Provider<Name extends ChannelName, Class extends ChannelClass, Schema extends z.ZodObject, Prepared> {
  readonly name: Name;
  readonly class: Class;
  readonly keyLifetimeMs?: number;
  /** How long after its time-out a request may still be accepted, and its key be written, milliseconds. */
  readonly acceptedLateMs: number;
  /** What an account needs. Each field says how it is asked for. */
  readonly credentials: Schema;
  /** Scheme, host and port of the account's API. */
  readonly originOf: (credentials: z.infer<Schema>) => string;
  /** Makes a payload ready before its instant. @throws BadRecord for what the schema does not see */
  readonly prepare: (payload: Payload<Name>) => Prepared;
  readonly send: (prepared: Prepared, sending: Sending<z.infer<Schema>>) => Promise<Outcome | 'not_started'>;
  readonly lookup?: (prepared: Prepared, looking: Looking<z.infer<Schema>>) => Promise<LookupAnswer>;
  /** Asks whose the credentials are; nothing else happens. */
  readonly whoAmI: (asking: Asking<z.infer<Schema>>) => Promise<WhoAmI>;
}

interface Message<Prepared> {
  readonly account: string;
  readonly prepared: Prepared;
}

type Unready = Extract<Outcome, { kind: 'postponed' | 'unusable' }>;

interface Ready<Credentials> {
  readonly credentials: Credentials;
  readonly secrets: readonly string[];
  /** The text of the credentials. */
  readonly kept: string;
}

/**
 * The part that all providers' channels share: credentials, payloads, requests.
 *
 * 1. *An account without credentials sends nothing*, and the reason says what to do.
 * 2. *Credentials that the provider refused are not tried again for a minute*, unless others are set: some providers lock out who
 *    goes on asking.
 */
class ProviderChannel<Name extends ChannelName, Class extends ChannelClass, Schema extends z.ZodObject, Prepared>
  implements Channel<Message<Prepared>>
{
  readonly name: Name;
  readonly class: Class;
  readonly acceptedWithin: number;
  readonly keyLifetimeMs?: number;
  readonly lookup?: NonNullable<Channel<Message<Prepared>>['lookup']>;
  private readonly secrets: AccountSecrets<Ready<z.infer<Schema>>>;
  private readonly refused: RefusedCredentials;

  constructor(
    private readonly provider: Provider<Name, Class, Schema, Prepared>,
    private readonly caller: HttpCaller,
    private readonly settings: Pick<BoltSettings, 'timeoutMs' | 'apiVersion'>,
    { secretsOf, clock }: ChannelOptions,
  ) {
    const { name, credentials: schema, keyLifetimeMs, lookup } = provider;
    this.name = name;
    this.class = provider.class;
    this.acceptedWithin = settings.timeoutMs + provider.acceptedLateMs;
    if (keyLifetimeMs !== undefined) this.keyLifetimeMs = keyLifetimeMs;
    if (lookup !== undefined) this.lookup = (message, context) => this.look(message, context, lookup);
    const ready = ([newest = '']: readonly string[]) => readyOf(name, schema, newest);
    this.refused = new RefusedCredentials(clock);
    this.secrets = new AccountSecrets((accounts) => secretsOf(name, accounts), ready, clock);
  }

  warm(accounts: readonly string[]): Promise<void> {
    return this.secrets.load(accounts);
  }

  prepare(account: string, text: string): Message<Prepared> {
    if (Buffer.byteLength(text) > MAX_STORED_PAYLOAD_BYTES) {
      throw new BadRecord(`payload: expected at most ${MAX_STORED_PAYLOAD_BYTES} bytes`);
    }
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      throw new BadRecord('payload: not JSON');
    }
    const parsed = parsePayload(this.name, value);
    if (!parsed.ok) throw new BadRecord(parsed.reason);
    return { account, prepared: this.provider.prepare(parsed.payload) };
  }

  /** Until the account's credentials are known, a place of its own. */
  originOf({ account }: Message<Prepared>): string {
    const ready = this.secrets.get(account)?.value;
    return ready === undefined ? `${this.name}:${account}` : this.provider.originOf(ready.credentials);
  }

  async send({ account, prepared }: Message<Prepared>, attempt: AttemptContext): Promise<Outcome | 'not_started'> {
    const ready = await this.readyOf(account);
    if ('kind' in ready) return ready;
    const { credentials, secrets, kept } = ready;
    const refusal = this.refused.reasonOf(account, kept);
    if (refusal !== undefined) return { kind: 'unusable', reason: refusal };
    const { mayStart, ...context } = attempt;
    const ask = apiOf(this.caller, account, secrets);
    const publish = apiOf(this.caller, account, secrets, mayStart);
    const { apiVersion } = this.settings;
    const outcome = await this.provider.send(prepared, { ...context, credentials, apiVersion, ask, publish });
    if (outcome !== 'not_started' && outcome.kind === 'unusable') this.refused.add(account, kept, outcome.reason);
    return outcome;
  }

  close(): Promise<void> {
    return this.caller.close();
  }

  private async look(
    { account, prepared }: Message<Prepared>,
    context: LookupContext,
    lookup: NonNullable<typeof this.provider.lookup>,
  ): Promise<LookupAnswer> {
    const ready = await this.readyOf(account);
    if ('kind' in ready) return ready;
    const { credentials, secrets, kept } = ready;
    const refusal = this.refused.reasonOf(account, kept);
    if (refusal !== undefined) return { kind: 'unusable', reason: refusal };
    const { apiVersion } = this.settings;
    const ask = apiOf(this.caller, account, secrets);
    const answer = await lookup(prepared, { ...context, credentials, apiVersion, ask });
    if (answer.kind === 'unusable') this.refused.add(account, kept, answer.reason);
    return answer;
  }

  /** @returns what it means when the account has none, or they cannot be read now */
  private async readyOf(account: string): Promise<Ready<z.infer<Schema>> | Unready> {
    let known = this.secrets.get(account);
    try {
      known ??= await this.secrets.ask(account);
    } catch (error) {
      return { kind: 'postponed', reason: `the account's credentials could not be read: ${reasonOf(error)}` };
    }
    const how = `\`downspout accounts set --channel ${this.name}\` sets them`;
    return known.value ?? { kind: 'unusable', reason: `the account has no credentials for ${this.name}; ${how}` };
  }
}

/** The kind of a provider's channel. */
export function providerKind<
  Name extends ChannelName,
  Class extends ChannelClass,
  Schema extends z.ZodObject,
  Prepared,
>(provider: Provider<Name, Class, Schema, Prepared>): ChannelKind<Name, Class> {
  const { name, class: own, credentials: schema, keyLifetimeMs, whoAmI } = provider;
  return channelKind<Name, Class, Message<Prepared>>({
    name,
    class: own,
    ...(keyLifetimeMs === undefined ? {} : { keyLifetimeMs }),
    credentials: schema,
    keepsEarlier: false,
    whoAmI: async (text, callerOptions) => {
      const caller = new HttpCaller(callerOptions);
      try {
        const { credentials, secrets } = readyOf(name, schema, text);
        return await whoAmI({ account: '', credentials, ask: apiOf(caller, '', secrets) });
      } finally {
        await caller.close();
      }
    },
    build: ({ timeoutMs, perOrigin, apiVersion }, options) => {
      const { clock, network } = options;
      const caller = new HttpCaller({ timeoutMs, perOrigin, clock, network });
      return new ProviderChannel(provider, caller, { timeoutMs, apiVersion }, options);
    },
  });
}

function readyOf<Schema extends z.ZodObject>(channel: string, schema: Schema, text: string): Ready<z.infer<Schema>> {
  const credentials = readCredentials(channel, schema, text);
  return { credentials, secrets: secretsIn(schema, credentials), kept: text };
}
