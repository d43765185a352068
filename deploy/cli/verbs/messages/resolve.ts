import type { Command } from 'commander';
import { thisAuthor } from '../../../../connectors/mysql/audit/author';
import type { Resolution, ResolveAnswer, Target } from '../../../../connectors/mysql/client/client';
import { checkResolution, type Decision } from '../../../../connectors/mysql/client/input';
import { Bulk } from '../../../../connectors/mysql/operators/bulk';
import { UserError } from '../../../../topology/core/errors';
import { withWorkersClient, withWorkersPool } from '../../database';
import { type ChangeOptions, changingVerb, contextOf, type VerbContext } from '../../verb';
import { auditedMessages } from './audited-messages';
import { changeMany } from './change-many';
import { type FilterOptions, filterOf, isByFilter, withFilterOptions } from './filter-options';
import { channelsByContent, checkReceiptGiven } from './receipts-wanted';
import { nameOf, type TargetOptions, targetsOf } from './targets';

interface ResolveOptions extends ChangeOptions, TargetOptions, FilterOptions {
  readonly yes?: boolean;
  readonly delivered?: boolean;
  readonly retry?: boolean;
  readonly receipt?: string;
  readonly withoutReceipt?: boolean;
  readonly at?: string;
}

/** `downspout messages resolve`. */
export function resolveCommand(): Command {
  return withFilterOptions(
    changingVerb('resolve', 'decide about uncertain messages, which may or may not have been accepted', {
      example: 'downspout messages resolve 17 --delivered',
      fails: 'one of the messages is not uncertain, or a filter is given without --yes',
    }),
    'uncertain',
  )
    .argument('[id...]', 'the messages; or --account and --dedupe-key; or a filter')
    .option('--dedupe-key <key>', 'with --account: the message')
    .option('--yes', 'with a filter: do it without asking')
    .option('--delivered', 'the provider has it')
    .option('--receipt <text>', "with --delivered: the provider's receipt")
    .option(
      '--without-receipt',
      'with --delivered, where posts are told apart by what they contain: leave the post to nobody',
    )
    .option('--at <time>', 'with --delivered: when, in ISO 8601 with a zone; now unless given')
    .option('--retry', 'send it again now, although the provider may have it')
    .addHelpText(
      'after',
      '\nThis needs OPERATOR_DATABASE_URL or WORKER_DATABASE_URL: an application may not write what came of a message.',
    )
    .action(async (ids: string[], options: ResolveOptions) => {
      const context = contextOf(options);
      const byFilter = isByFilter(ids, options.dedupeKey, options, 'uncertain');
      const targets = byFilter ? [] : targetsOf(ids, options);
      const decision = decisionOf(options);
      if (byFilter) return resolveMany(decision, options, context);
      const resolutions = targets.map((target): Resolution => ({ ...target, ...decision }));
      for (const resolution of resolutions) checkResolution(resolution);
      if (isOwnerless(options)) {
        checkReceiptGiven(await withWorkersClient(context, (client) => client.get(targets)));
      }
      const answers = await auditedMessages(
        context,
        'messages resolve',
        targets,
        () => withWorkersClient(context, (client) => client.resolve(resolutions)),
        { as: 'OPERATOR_DATABASE_URL' },
      );
      if (!answers.every(({ result }) => result === 'resolved')) process.exitCode = 1;
      const named = answers.map((answer, index) => ({ target: targets[index] as Target, answer }));
      context.output.data(
        named.map(({ target, answer }) => ({ ...target, ...answer })),
        () => named.map(({ target, answer }) => `${nameOf(target)} ${textOf(answer, options)}`).join('\n'),
      );
    });
}

async function resolveMany(decision: Decision, options: ResolveOptions, context: VerbContext): Promise<void> {
  const filter = filterOf(options);
  const again = options.retry === true;
  await withWorkersPool(context, async (pool) => {
    const bulk = new Bulk(pool, thisAuthor(context.settings.environment.DOWNSPOUT_WHO));
    if (isOwnerless(options)) await checkSelection(bulk, filter);
    return changeMany(context, options.yes === true, {
      verb: 'messages resolve',
      filter: { ...filter, as: decision.as },
      would: again ? 'sends them again' : 'settles them as delivered',
      did: again ? 'are sent again' : 'are delivered',
      select: (report) => bulk.select({ ...filter, state: 'uncertain' }, report),
      change: (report) => bulk.resolve(filter, decision, report),
      as: 'OPERATOR_DATABASE_URL',
    });
  });
}

/** A post whose receipt is not known could be counted for another message. */
function isOwnerless({ delivered, receipt, withoutReceipt }: ResolveOptions): boolean {
  return delivered === true && receipt === undefined && withoutReceipt !== true;
}

async function checkSelection(bulk: Bulk, filter: ReturnType<typeof filterOf>): Promise<void> {
  for (const channel of channelsByContent) {
    if (filter.channel !== undefined && filter.channel !== channel) continue;
    const { sample } = await bulk.select({ ...filter, channel, state: 'uncertain' });
    checkReceiptGiven(sample);
  }
}

function decisionOf({ delivered, retry, receipt, withoutReceipt, at }: ResolveOptions): Decision {
  if ((delivered === true) === (retry === true)) {
    throw new UserError('What did you find out? Give --delivered, or --retry to send it again.');
  }
  if (retry === true) {
    if (receipt === undefined && withoutReceipt === undefined && at === undefined) return { as: 'retry' };
    throw new UserError('--receipt, --without-receipt and --at belong to --delivered.');
  }
  if (receipt !== undefined && withoutReceipt === true) throw new UserError('Give --receipt or --without-receipt.');
  return {
    as: 'delivered',
    ...(receipt === undefined ? {} : { receipt }),
    ...(at === undefined ? {} : { deliveredAt: at }),
  };
}

function textOf(answer: ResolveAnswer, { retry }: ResolveOptions): string {
  if (answer.result === 'not_found') return 'does not exist.';
  if (answer.result === 'not_uncertain') return `is not uncertain: ${answer.state}.`;
  return retry === true ? `is sent again; its plan has version ${answer.version} now.` : 'is delivered.';
}
