import type { z } from 'zod';
import type { LookupAnswer } from '../../../bolts/channel';
import { reasonOf } from '../../../topology/core/errors';
import type { Outcome } from '../../../topology/message';
import { AccountSecrets } from '../account-secrets';
import type { ChannelOptions } from '../channel-kind';
import { readCredentials, secretsIn } from '../credentials';
import { AskedRefreshes } from './asked-refreshes';
import { type Refused, RefusedCredentials } from './refused-credentials';

type Unready = Extract<Outcome, { kind: 'postponed' | 'unusable' }>;

/** An account's credentials, ready for use. */
export interface Ready<Credentials> {
  readonly credentials: Credentials;
  readonly secrets: readonly string[];
}

/** Credentials of an account, and which of its credentials they are. */
export interface ReadyAccount<Credentials> extends Ready<Credentials> {
  readonly generation: number;
  /** The provider has refused them a short time ago: this one request shows whether it does so still. */
  readonly isTrial: boolean;
}

/**
 * The credentials of a channel's accounts.
 *
 * 1. *An account without credentials sends nothing*, and the reason says what to do.
 * 2. *One refusal is not believed unless it is final*: it may be a mistake of the provider's. `RefusedCredentials` says when it is.
 * 3. *Credentials whose refusal is believed are not tried again* before a person says something new of the account: some providers
 *    lock out who goes on asking. Until that is written in the database, this worker remembers it for a minute.
 * 4. *What was refused is said with its generation*, so that nothing of what a person has set meanwhile is taken for refused.
 * 5. *Credentials that can be refreshed are refreshed before their account is unusable*: the account's messages are postponed meanwhile.
 */
export class ProviderAccounts<Schema extends z.ZodObject> {
  private readonly secrets: AccountSecrets<Ready<z.infer<Schema>>>;
  private readonly refused: RefusedCredentials;
  /** Undefined where nobody refreshes credentials. */
  private readonly refreshes: AskedRefreshes | undefined;

  /**
   * @param isRefreshable whether these can be refreshed
   * @param triedAfterMs see {@link RefusedCredentials}
   */
  constructor(
    private readonly channel: string,
    schema: Schema,
    { secretsOf, clock, askRefresh }: Pick<ChannelOptions, 'secretsOf' | 'clock' | 'askRefresh'>,
    private readonly isRefreshable: (credentials: z.infer<Schema>) => boolean = () => false,
    triedAfterMs?: readonly number[],
  ) {
    if (askRefresh !== undefined) this.refreshes = new AskedRefreshes(channel, clock, askRefresh);
    const ready = ([newest = '']: readonly string[]) => readyOf(channel, schema, newest);
    this.refused = new RefusedCredentials(clock, triedAfterMs);
    this.secrets = new AccountSecrets((accounts) => secretsOf(channel, accounts), ready, clock, true);
  }

  /** Throws Unavailable when they cannot be read now. */
  load(accounts: readonly string[]): Promise<void> {
    return this.secrets.load(accounts);
  }

  /** What is known now, without a question. */
  known(account: string): z.infer<Schema> | undefined {
    return this.secrets.get(account)?.value?.credentials;
  }

  /** What was last known of the account, also where that may be used no more: the app that it is connected by is the same. */
  latest(account: string): z.infer<Schema> | undefined {
    return this.secrets.latest(account)?.credentials;
  }

  /** The account has others by now. */
  forget(account: string): void {
    this.secrets.forget(account);
  }

  /** @returns what it means when the account has none, they cannot be read now, or the provider refused them */
  async readyOf(account: string): Promise<ReadyAccount<z.infer<Schema>> | Unready> {
    let known = this.secrets.get(account);
    try {
      known ??= await this.secrets.ask(account);
    } catch (error) {
      return { kind: 'postponed', reason: `the account's credentials could not be read: ${reasonOf(error)}` };
    }
    const { value: ready, generation, blocked } = known;
    if (blocked !== undefined) return { kind: 'unusable', reason: blocked, generation };
    if (ready === undefined) {
      const how = `\`downspout accounts set --channel ${this.channel}\` sets them`;
      return { kind: 'unusable', reason: `the account has no credentials for ${this.channel}; ${how}`, generation };
    }
    const refreshed = this.refreshes?.reasonOf(account, generation);
    if (refreshed !== undefined) {
      this.secrets.distrust(account);
      return { kind: 'postponed', reason: refreshed };
    }
    const refusal = this.refused.look(account, generation);
    const isTrial = refusal === 'trial';
    if (refusal === undefined || isTrial) {
      return { credentials: ready.credentials, secrets: ready.secrets, generation, isTrial };
    }
    // A person may have set others since they were read: otherwise messages would be given back for as long as this is believed.
    this.secrets.distrust(account);
    return unusable(refusal, generation);
  }

  /** What came of using these; remembered when the provider refused them. */
  async judged<T extends Outcome | LookupAnswer | 'not_started'>(
    account: string,
    { credentials, generation, isTrial }: ReadyAccount<z.infer<Schema>>,
    outcome: T,
  ): Promise<T> {
    if (outcome === 'not_started' || outcome.kind !== 'unusable') {
      const isTaken = outcome !== 'not_started' && (outcome.kind === 'delivered' || outcome.kind === 'accepted');
      // What it says of the message is an answer, which a look-up that has found nothing may go on from.
      const isAnswered = outcome !== 'not_started' && (outcome.kind === 'absent' || outcome.kind === 'rejected');
      if (isTaken) this.refused.forget(account, generation);
      else if (isTrial) this.refused.tryNext(account, generation, isAnswered);
      return outcome;
    }
    const asked = this.isRefreshable(credentials)
      ? await this.refreshes?.ask(account, generation, outcome.reason)
      : undefined;
    this.secrets.forget(account);
    const reason = asked?.reason ?? outcome.reason;
    if (asked?.isRefreshed === true) {
      if (isTrial) this.refused.tryNext(account, generation, true);
      // Without a generation the message is postponed.
      return Object.assign({}, outcome, { reason });
    }
    const { isFinal = false } = outcome;
    const refusal = this.refused.add({ account, generation, reason, isFinal, isTrial });
    return Object.assign({}, outcome, unusable(refusal, generation));
  }
}

function unusable({ reason, afterMs }: Refused, generation: number): Extract<Outcome, { kind: 'unusable' }> {
  if (afterMs === undefined) return { kind: 'unusable', reason, generation };
  return {
    kind: 'unusable',
    reason: `${reason}. It may be a mistake of the provider's, so it is asked again`,
    afterMs,
  };
}

/** @throws Unavailable when the channel has other fields by now */
export function readyOf<Schema extends z.ZodObject>(
  channel: string,
  schema: Schema,
  text: string,
): Ready<z.infer<Schema>> {
  const credentials = readCredentials(channel, schema, text);
  return { credentials, secrets: secretsIn(schema, credentials) };
}
