import { z } from 'zod';
import type { SecretsOf } from '../../../connectors/channels/account-secrets';
import { credentialFields } from '../../../connectors/channels/credentials';
import { ProviderAccounts } from '../../../connectors/channels/provider/provider-accounts';
import type { Machine } from './machine';

const token = z.string().register(credentialFields, { prompt: 'token', isSecret: true });
const schema = z.object({ token });

export type SimulatedAccounts = ProviderAccounts<typeof schema>;

/** The credentials of a channel's accounts as one worker knows them: the real part, over its link to the database. */
export function accountsOf(channel: string, machine: Machine, secretsOf: SecretsOf): SimulatedAccounts {
  return new ProviderAccounts(channel, schema, { clock: machine, secretsOf: (_, accounts) => secretsOf(accounts) });
}
