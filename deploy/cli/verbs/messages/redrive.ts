import type { Command } from 'commander';
import { thisAuthor } from '../../../../connectors/mysql/audit/author';
import type { RedriveAnswer, Target } from '../../../../connectors/mysql/client/client';
import { Bulk } from '../../../../connectors/mysql/operators/bulk';
import { withClient, withPool } from '../../database';
import { type ChangeOptions, changingVerb, contextOf, type VerbContext } from '../../verb';
import { auditedMessages } from './audited-messages';
import { changeMany } from './change-many';
import { type FilterOptions, filterOf, isByFilter, withFilterOptions } from './filter-options';
import { nameOf, type TargetOptions, targetsOf } from './targets';

interface RedriveOptions extends ChangeOptions, TargetOptions, FilterOptions {
  readonly yes?: boolean;
}

/** `downspout messages redrive`. */
export function redriveCommand(): Command {
  return withFilterOptions(
    changingVerb(
      'redrive',
      'send failed messages again, now; their attempts start again. A filter selects what was not sent in time with --late, and the others without',
      {
        example: 'downspout messages redrive --channel webhook --error 503 --yes',
        fails: 'one of the messages has not failed, or a filter is given without --yes',
      },
    ),
    'failed',
  )
    .argument('[id...]', 'the messages; or --account and --dedupe-key; or a filter')
    .option('--dedupe-key <key>', 'with --account: the message')
    .option('--yes', 'with a filter: do it without asking')
    .action(async (ids: string[], options: RedriveOptions) => {
      const context = contextOf(options);
      if (isByFilter(ids, options.dedupeKey, options, 'failed')) return redriveMany(options, context);
      const targets = targetsOf(ids, options);
      const answers = await auditedMessages(context, 'messages redrive', targets, () =>
        withClient(context, (client) => client.redrive(targets)),
      );
      if (!answers.every(({ result }) => result === 'redriven')) process.exitCode = 1;
      const named = answers.map((answer, index) => ({ target: targets[index] as Target, answer }));
      context.output.data(
        named.map(({ target, answer }) => ({ ...target, ...answer })),
        () => named.map(({ target, answer }) => `${nameOf(target)} ${textOf(answer)}`).join('\n'),
      );
    });
}

async function redriveMany(options: RedriveOptions, context: VerbContext): Promise<void> {
  const filter = { isLate: false, ...filterOf(options) };
  await withPool(context, (pool) => {
    const bulk = new Bulk(pool, thisAuthor(context.settings.environment.DOWNSPOUT_WHO));
    return changeMany(context, options.yes === true, {
      verb: 'messages redrive',
      filter,
      would: 'sends them again',
      did: 'are sent again',
      select: (report) => bulk.select({ ...filter, state: 'failed' }, report),
      change: (report) => bulk.redrive(filter, report),
    });
  });
}

function textOf(answer: RedriveAnswer): string {
  if (answer.result === 'not_found') return 'does not exist.';
  if (answer.result === 'not_failed') return `has not failed: ${answer.state}.`;
  return `is sent again; its plan has version ${answer.version} now.`;
}
