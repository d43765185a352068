import type { Command } from 'commander';
import type { AccountState, StateEntry } from '../../../connectors/mysql/secrets/account-states';
import type { LifetimeEntry } from '../../../connectors/mysql/secrets/lifetimes';
import type { SecretOwner } from '../../../connectors/mysql/secrets/secret-key';
import type { AccountEntry } from '../../../connectors/mysql/secrets/secret-store';
import { UserError } from '../../../topology/core/errors';
import { confirm } from '../../console/confirm';
import { type Column, type OutputOptions, printable } from '../../console/output';
import { formatInstant } from '../../console/units';
import { audited } from '../audited';
import { type ChangeOptions, changingVerb, contextOf, dataVerb, verbGroup } from '../verb';
import { testCommand } from './accounts/ask';
import { type ChannelOptions, subjectOf, withAccounts, withLifetimes, withStates } from './accounts/common';
import { disableCommand, enableCommand } from './accounts/disable';
import { expiringCommand } from './accounts/expiring';
import { rotateCommand, setCommand } from './accounts/set';
import { showCommand } from './accounts/show';

interface RemoveOptions extends ChannelOptions {
  readonly yes?: boolean;
}

/** `downspout accounts set|rotate|list|expiring|show|test|disable|enable|retire|remove|rekey`. */
export function accountsCommand(): Command {
  return verbGroup('accounts', 'credentials of accounts, kept encrypted', { example: 'downspout accounts list' })
    .addCommand(setCommand())
    .addCommand(rotateCommand())
    .addCommand(listCommand())
    .addCommand(expiringCommand())
    .addCommand(showCommand())
    .addCommand(testCommand())
    .addCommand(disableCommand())
    .addCommand(enableCommand())
    .addCommand(retireCommand())
    .addCommand(removeCommand())
    .addCommand(rekeyCommand());
}

function retireCommand(): Command {
  return changingVerb(
    'retire',
    'forget the older of the two secrets of an account, when its receivers have the new one',
    {
      example: 'downspout accounts retire acme --yes',
    },
  )
    .argument('<account>')
    .option('--channel <name>', 'channel', 'webhook')
    .option('--yes', 'do not ask')
    .action(async (account: string, options: RemoveOptions) => {
      const context = contextOf(options);
      const { channel } = options;
      await confirm(
        `Forget the older ${channel} secret of ${printable(account)} for good, so that receivers that have no other refuse its messages?`,
        options.yes === true || context.dryRun,
      );
      const subject = subjectOf(account, channel);
      const retired = await audited(context, { verb: 'accounts retire', subject }, async (change) => {
        const count = await withAccounts(context, (accounts) => accounts.retire(account, channel));
        change.after = { retired: count };
        return count;
      });
      context.output.data({ account, channel, result: 'retired', retired }, () =>
        retired === 0 ? 'There was one secret only.' : 'The older secret is forgotten.',
      );
    });
}

function rekeyCommand(): Command {
  return changingVerb('rekey', 'seal the secrets of DOWNSPOUT_SECRET_KEY_PREVIOUS with DOWNSPOUT_SECRET_KEY', {
    example: 'downspout accounts rekey',
    fails: 'a secret opens with neither key',
  }).action(async (options: ChangeOptions) => {
    const context = contextOf(options);
    const done = await audited(context, { verb: 'accounts rekey', subject: 'every secret' }, async (change) => {
      const { unreadable, ...counts } = await withAccounts(context, (accounts) => accounts.rekey());
      change.after = { ...counts, unreadable: unreadable.length };
      return { ...counts, unreadable };
    });
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

interface ListedAccount extends SecretOwner {
  /** Null when they cannot be opened; 0 for an account that has none. */
  readonly secrets: number | null;
  /** Null where there are none. */
  readonly updatedAt: number | null;
  readonly state: AccountState;
  readonly since: number | null;
  readonly reason: string | null;
  /** When its credentials end; null where they do not say. */
  readonly expiresAt: number | null;
}

function listCommand(): Command {
  return dataVerb('list', 'accounts that have a secret, or cannot be used; never the secret', {
    example: 'downspout accounts list --json',
  }).action(async (options: OutputOptions) => {
    const context = contextOf(options);
    const entries = await withAccounts(context, (accounts) => accounts.list());
    const states = await withStates(context, (of) => of.list());
    const ends = await withLifetimes(context, (of) => of.list());
    const listed = listedOf(entries, states, ends);
    const columns: readonly Column<ListedAccount>[] = [
      { title: 'account', value: ({ account }) => account },
      { title: 'channel', value: ({ channel }) => channel },
      { title: 'secrets', align: 'right', value: ({ secrets }) => String(secrets ?? 'not readable') },
      { title: 'set at', value: ({ updatedAt }) => (updatedAt === null ? '–' : formatInstant(updatedAt)) },
      { title: 'ends', value: ({ expiresAt }) => formatInstant(expiresAt) },
      { title: 'state', value: ({ state }) => state },
    ];
    context.output.data(listed, () => {
      if (listed.length === 0) return 'No account has a secret. `downspout accounts set <account>` sets one.';
      const warnings = listed.flatMap(({ account, channel, state, since, reason }) =>
        state === 'unusable' || state === 'disabled'
          ? [
              `${printable(account)} on ${channel} is ${state}${since === null ? '' : ` since ${formatInstant(since)}`}: ${printable(reason ?? 'nobody says why')}. Its messages are suspended as they become due.`,
            ]
          : [],
      );
      return [context.output.table(columns, listed), ...warnings].join('\n');
    });
  });
}

function nameOf({ channel, account }: SecretOwner): string {
  return JSON.stringify([channel, account]);
}

function listedOf(
  entries: readonly AccountEntry[],
  states: readonly StateEntry[],
  lifetimes: readonly LifetimeEntry[],
): ListedAccount[] {
  const ends = new Map(lifetimes.map((entry) => [nameOf(entry), entry.expiresAt]));
  const usable = { state: 'usable', since: null, reason: null, expiresAt: null } as const;
  const listed = new Map<string, ListedAccount>(entries.map((entry) => [nameOf(entry), { ...entry, ...usable }]));
  for (const entry of states) {
    const { secrets = 0, updatedAt = null } = listed.get(nameOf(entry)) ?? {};
    listed.set(nameOf(entry), { ...entry, secrets, updatedAt, expiresAt: null });
  }
  return [...listed]
    .toSorted(([one], [other]) => (one < other ? -1 : 1))
    .map(([name, entry]) => ({ ...entry, expiresAt: ends.get(name) ?? null }));
}

function removeCommand(): Command {
  return changingVerb(
    'remove',
    "remove an account's credentials: webhooks go out unsigned then, others wait for new ones",
    {
      example: 'downspout accounts remove acme --yes',
      fails: 'the account has no secret',
    },
  )
    .argument('<account>')
    .option('--channel <name>', 'channel', 'webhook')
    .option('--yes', 'do not ask')
    .action(async (account: string, options: RemoveOptions) => {
      const context = contextOf(options);
      await confirm(
        `Remove the ${options.channel} secret of ${printable(account)} for good, so that its messages ${
          options.channel === 'webhook' ? 'go out unsigned' : 'wait for another'
        }?`,
        options.yes === true || context.dryRun,
      );
      const subject = subjectOf(account, options.channel);
      await audited(context, { verb: 'accounts remove', subject }, async () => {
        const there = await withAccounts(context, (accounts) => accounts.remove(account, options.channel));
        if (there) return;
        throw new UserError(
          `Account ${JSON.stringify(account)} has no ${options.channel} secret. \`downspout accounts list\` shows which do.`,
        );
      });
      context.output.data({ account, channel: options.channel, result: 'removed' }, () => 'The secret is removed.');
    });
}
