import { Command } from 'commander';
import { SecretKey } from '../../../connectors/mysql/secrets/secret-key';
import { SecretStore } from '../../../connectors/mysql/secrets/secret-store';
import { UserError } from '../../../topology/core/errors';
import type { OutputOptions } from '../../console/output';
import { readSecret } from '../../console/secret-input';
import { formatInstant } from '../../console/units';
import { withPool } from '../database';
import { contextOf, dataVerb, type VerbContext } from '../verb';

interface ChannelOptions extends OutputOptions {
  readonly channel: string;
}

/** `downspout accounts set|list|remove`. */
export function accountsCommand(): Command {
  return new Command('accounts')
    .description('secrets of accounts, kept encrypted')
    .addCommand(setCommand())
    .addCommand(listCommand())
    .addCommand(removeCommand());
}

function setCommand(): Command {
  return dataVerb('set', "set the secret that signs an account's messages; it is read from standard input", {
    example: 'printf %s "$SECRET" | downspout accounts set acme',
  })
    .argument('<account>')
    .option('--channel <name>', 'channel', 'webhook')
    .action(async (account: string, options: ChannelOptions) => {
      const context = contextOf(options);
      const secret = await readSecret(`Secret of ${account} for ${options.channel} (not shown): `);
      await withAccounts(context, (accounts) => accounts.set(account, options.channel, secret));
      context.output.data({ account, channel: options.channel, result: 'set' }, () => 'The secret is set.');
    });
}

function listCommand(): Command {
  return dataVerb('list', 'accounts that have a secret; never the secret', {
    example: 'downspout accounts list --json',
  }).action(async (options: OutputOptions) => {
    const context = contextOf(options);
    const entries = await withAccounts(context, (accounts) => accounts.list());
    context.output.data(entries, () =>
      entries.length === 0
        ? 'No account has a secret. `downspout accounts set <account>` sets one.'
        : context.output.table(
            [
              { title: 'account', value: (entry: (typeof entries)[number]) => entry.account },
              { title: 'channel', value: (entry) => entry.channel },
              { title: 'set at', value: (entry) => formatInstant(entry.updatedAt) },
            ],
            entries,
          ),
    );
  });
}

function removeCommand(): Command {
  return dataVerb('remove', "remove an account's secret: its messages go out unsigned from then on", {
    example: 'downspout accounts remove acme',
    fails: 'the account has no secret',
  })
    .argument('<account>')
    .option('--channel <name>', 'channel', 'webhook')
    .action(async (account: string, options: ChannelOptions) => {
      const context = contextOf(options);
      const there = await withAccounts(context, (accounts) => accounts.remove(account, options.channel));
      if (!there) throw new UserError(`Account ${JSON.stringify(account)} has no ${options.channel} secret.`);
      context.output.data({ account, channel: options.channel, result: 'removed' }, () => 'The secret is removed.');
    });
}

function withAccounts<T>(context: VerbContext, work: (accounts: SecretStore) => Promise<T>): Promise<T> {
  const key = SecretKey.from(context.settings.environment);
  return withPool(context, (pool) => work(new SecretStore(pool, key)));
}
