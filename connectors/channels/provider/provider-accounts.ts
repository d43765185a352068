import type { z } from 'zod';
import { reasonOf } from '../../../topology/core/errors';
import type { Outcome } from '../../../topology/message';
import { AccountSecrets } from '../account-secrets';
import type { ChannelOptions } from '../channel-kind';
import { readCredentials, secretsIn } from '../credentials';
import { RefusedCredentials } from './refused-credentials';

type Unready = Extract<Outcome, { kind: 'postponed' | 'unusable' }>;

/** An account's credentials, ready for use. */
export interface Ready<Credentials> {
  readonly credentials: Credentials;
  readonly secrets: readonly string[];
  /** The text of the credentials. */
  readonly kept: string;
}

/**
 * The credentials of a channel's accounts.
 *
 * 1. *An account without credentials sends nothing*, and the reason says what to do.
 * 2. *Credentials that the provider refused are not tried again for a minute*, unless others are set: some providers lock out who
 *    goes on asking.
 */
export class ProviderAccounts<Schema extends z.ZodObject> {
  private readonly secrets: AccountSecrets<Ready<z.infer<Schema>>>;
  private readonly refused: RefusedCredentials;

  constructor(
    private readonly channel: string,
    schema: Schema,
    { secretsOf, clock }: Pick<ChannelOptions, 'secretsOf' | 'clock'>,
  ) {
    const ready = ([newest = '']: readonly string[]) => readyOf(channel, schema, newest);
    this.refused = new RefusedCredentials(clock);
    this.secrets = new AccountSecrets((accounts) => secretsOf(channel, accounts), ready, clock);
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
  async readyOf(account: string): Promise<Ready<z.infer<Schema>> | Unready> {
    let known = this.secrets.get(account);
    try {
      known ??= await this.secrets.ask(account);
    } catch (error) {
      return { kind: 'postponed', reason: `the account's credentials could not be read: ${reasonOf(error)}` };
    }
    const ready = known.value;
    if (ready === undefined) {
      const how = `\`downspout accounts set --channel ${this.channel}\` sets them`;
      return { kind: 'unusable', reason: `the account has no credentials for ${this.channel}; ${how}` };
    }
    const refusal = this.refused.reasonOf(account, ready.kept);
    return refusal === undefined ? ready : { kind: 'unusable', reason: refusal };
  }

  /** The provider refused these. */
  refuse(account: string, { kept }: Ready<z.infer<Schema>>, reason: string): void {
    this.refused.add(account, kept, reason);
  }
}

/** @throws Unavailable when the channel has other fields by now */
export function readyOf<Schema extends z.ZodObject>(
  channel: string,
  schema: Schema,
  text: string,
): Ready<z.infer<Schema>> {
  const credentials = readCredentials(channel, schema, text);
  return { credentials, secrets: secretsIn(schema, credentials), kept: text };
}
