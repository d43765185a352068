import type { z } from 'zod';
import type { LookupAnswer } from '../../../bolts/channel';
import { reasonOf } from '../../../topology/core/errors';
import type { Outcome } from '../../../topology/message';
import { AccountSecrets } from '../account-secrets';
import type { ChannelOptions } from '../channel-kind';
import { readCredentials, secretsIn } from '../credentials';
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
 */
export class ProviderAccounts<Schema extends z.ZodObject> {
  private readonly secrets: AccountSecrets<Ready<z.infer<Schema>>>;
  private readonly refused: RefusedCredentials;

  /** @param triedAfterMs see {@link RefusedCredentials} */
  constructor(
    private readonly channel: string,
    schema: Schema,
    { secretsOf, clock }: Pick<ChannelOptions, 'secretsOf' | 'clock'>,
    triedAfterMs?: readonly number[],
  ) {
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
  judged<T extends Outcome | LookupAnswer | 'not_started'>(
    account: string,
    { generation, isTrial }: ReadyAccount<z.infer<Schema>>,
    outcome: T,
  ): T {
    if (outcome === 'not_started' || outcome.kind !== 'unusable') {
      const isTaken = outcome !== 'not_started' && (outcome.kind === 'delivered' || outcome.kind === 'accepted');
      if (isTaken) this.refused.forget(account, generation);
      else if (isTrial) this.refused.tryNext(account, generation);
      return outcome;
    }
    const { reason, isFinal = false } = outcome;
    const refusal = this.refused.add({ account, generation, reason, isFinal, isTrial });
    this.secrets.forget(account);
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
