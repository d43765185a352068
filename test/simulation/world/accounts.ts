import { z } from 'zod';
import type { SecretsOf } from '../../../connectors/channels/account-secrets';
import { credentialFields } from '../../../connectors/channels/credentials';
import { ProviderAccounts } from '../../../connectors/channels/provider/provider-accounts';
import type { Machine } from './machine';

const token = z.string().register(credentialFields, { prompt: 'token', isSecret: true });
const schema = z.object({ token });

export type SimulatedAccounts = ProviderAccounts<typeof schema>;

/** When refused credentials are tried once more, milliseconds: runs are short. */
const TRIED_AFTER = [1_000, 2_000];

/** The credentials of a channel's accounts as one worker knows them: the real part, over its link to the database. */
export function accountsOf(
  channel: string,
  machine: Machine,
  secretsOf: SecretsOf,
  triedAfter: readonly number[] = TRIED_AFTER,
): SimulatedAccounts {
  const options = { clock: machine, secretsOf: (_: string, accounts: readonly string[]) => secretsOf(accounts) };
  return new ProviderAccounts(channel, schema, options, () => false, triedAfter);
}
