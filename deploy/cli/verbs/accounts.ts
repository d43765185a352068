import { Command } from 'commander';
import { checkSecret } from '../../../connectors/channels/channel-kinds';
import { SecretKey } from '../../../connectors/mysql/secrets/secret-key';
import { SecretStore } from '../../../connectors/mysql/secrets/secret-store';
import { UserError } from '../../../topology/core/errors';
import { type OutputOptions, printable } from '../../console/output';
import { readSecret } from '../../console/secret-input';
import { formatInstant } from '../../console/units';
import { withPool } from '../database';
import { contextOf, dataVerb, type VerbContext } from '../verb';

interface ChannelOptions extends OutputOptions {
  readonly channel: string;
}

interface SetOptions extends ChannelOptions {
  readonly replace?: boolean;
}

/** `downspout accounts set|list|retire|remove|rekey`. */
export function accountsCommand(): Command {
  return new Command('accounts')
    .description('secrets of accounts, kept encrypted')
    .addCommand(setCommand())
    .addCommand(listCommand())
    .addCommand(retireCommand())
    .addCommand(removeCommand())
    .addCommand(rekeyCommand());
}

function setCommand(): Command {
  return dataVerb(
    'set',
    "set the secret that signs an account's messages, read from standard input; the one before it stays valid too",
    { example: 'printf %s "$SECRET" | downspout accounts set acme' },
  )
    .argument('<account>')
    .option('--channel <name>', 'channel', 'webhook')
    .option('--replace', 'forget the secret before it, because somebody else knows it')
    .action(async (account: string, options: SetOptions) => {
      const context = contextOf(options);
      const { channel, replace = false } = options;
      const secret = await readSecret(`Secret of ${account} for ${channel} (not shown): `);
      checkSecret(channel, secret);
      const secrets = await withAccounts(context, (accounts) => accounts.set(account, channel, secret, { replace }));
      context.output.data({ account, channel, result: 'set', secrets }, () =>
        secrets === 1
          ? 'The secret is set.'
          : 'The secret is set. Messages carry the signatures of both secrets until `downspout accounts retire`.',
      );
    });
}

function retireCommand(): Command {
  return dataVerb('retire', 'forget the older of the two secrets of an account, when its receivers have the new one', {
    example: 'downspout accounts retire acme',
  })
    .argument('<account>')
    .option('--channel <name>', 'channel', 'webhook')
    .action(async (account: string, options: ChannelOptions) => {
      const context = contextOf(options);
      const { channel } = options;
      const retired = await withAccounts(context, (accounts) => accounts.retire(account, channel));
      context.output.data({ account, channel, result: 'retired', retired }, () =>
        retired === 0 ? 'There was one secret only.' : 'The older secret is forgotten.',
      );
    });
}

function rekeyCommand(): Command {
  return dataVerb('rekey', 'seal the secrets of DOWNSPOUT_SECRET_KEY_PREVIOUS with DOWNSPOUT_SECRET_KEY', {
    example: 'downspout accounts rekey',
    fails: 'a secret opens with neither key',
  }).action(async (options: OutputOptions) => {
    const context = contextOf(options);
    const done = await withAccounts(context, (accounts) => accounts.rekey());
    if (done.unreadable.length > 0) process.exitCode = 1;
    context.output.data(done, () => {
      const { rekeyed, current, unreadable } = done;
      const lost = unreadable.map(
        ({ account, channel }) => `Neither key opens the ${channel} secret of ${printable(account)}.`,
      );
      return [`${rekeyed} sealed again, ${current} were sealed with the current key already.`, ...lost].join('\n');
    });
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
              { title: 'secrets', align: 'right', value: ({ secrets }) => String(secrets ?? 'not readable') },
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
