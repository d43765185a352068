import type { Command } from 'commander';
import { thisAuthor } from '../../../../connectors/mysql/audit/author';
import type { Target } from '../../../../connectors/mysql/client/client';
import { type ResumeAnswer, SuspendedMessages } from '../../../../connectors/mysql/operators/suspended-messages';
import { printable } from '../../../console/output';
import { withPool } from '../../database';
import { type ChangeOptions, changingVerb, contextOf, type VerbContext } from '../../verb';
import { auditedMessages } from './audited-messages';
import { changeMany } from './change-many';
import { type FilterOptions, filterOf, isByFilter, withFilterOptions } from './filter-options';
import { nameOf, type TargetOptions, targetsOf } from './targets';

interface ResumeOptions extends ChangeOptions, TargetOptions, FilterOptions {
  readonly yes?: boolean;
}

/** Accounts that are named, of those whose messages cannot be resumed. */
const MAX_NAMED = 5;

/** `downspout messages resume`. */
export function resumeCommand(): Command {
  return withFilterOptions(
    changingVerb(
      'resume',
      'send messages that wait, in the order in which they are due: suspended ones whose account can be used again, with --late those that were not sent in time',
      {
        example: 'downspout messages resume --channel mastodon --due-from 2027-01-31T00:00:00Z --yes',
        fails: 'one of the messages does not wait so, its account cannot be used, or a filter is given without --yes',
      },
    ),
    'suspended',
    'late',
  )
    .argument('[id...]', 'the messages; or --account and --dedupe-key; or a filter')
    .option('--dedupe-key <key>', 'with --account: the message')
    .option('--yes', 'with a filter: do it without asking')
    .action(async (ids: string[], options: ResumeOptions) => {
      const context = contextOf(options);
      if (isByFilter(ids, options.dedupeKey, options, 'suspended', 'late')) return resumeMany(options, context);
      const targets = targetsOf(ids, options);
      const answers = await auditedMessages(context, 'messages resume', targets, () =>
        withSuspended(context, (suspended) => suspended.resumeThese(targets)),
      );
      if (!answers.every(({ result }) => result === 'resumed')) process.exitCode = 1;
      const named = answers.map((answer, index) => ({ target: targets[index] as Target, answer }));
      context.output.data(
        named.map(({ target, answer }) => ({ ...target, ...answer })),
        () => named.map(({ target, answer }) => `${nameOf(target)} ${textOf(answer)}`).join('\n'),
      );
    });
}

async function resumeMany(options: ResumeOptions, context: VerbContext): Promise<void> {
  const filter = filterOf(options);
  await withSuspended(context, async (suspended) => {
    for (const { account, channel } of await suspended.blocked(filter, MAX_NAMED)) {
      context.output.note(
        `Messages of ${printable(account)} on ${channel} are left: the account cannot be used (downspout accounts list).`,
      );
    }
    await changeMany(context, options.yes === true, {
      verb: 'messages resume',
      filter,
      would: 'sends them',
      did: 'are scheduled again',
      select: (report) => suspended.select(filter, report),
      change: (report) => suspended.resume(filter, report),
    });
  });
}

function withSuspended<T>(context: VerbContext, work: (suspended: SuspendedMessages) => Promise<T>): Promise<T> {
  const author = thisAuthor(context.settings.environment.DOWNSPOUT_WHO);
  return withPool(context, (pool) => work(new SuspendedMessages(pool, author)));
}

function textOf(answer: ResumeAnswer): string {
  switch (answer.result) {
    case 'resumed':
      return `is scheduled again; its plan has version ${answer.version} now.`;
    case 'not_suspended':
      return `is neither suspended nor late: ${answer.state}.`;
    case 'account_blocked':
      return `is left: account ${printable(answer.account)} cannot be used on ${answer.channel} (downspout accounts list).`;
    default:
      return 'does not exist.';
  }
}
