import type { Command } from 'commander';
import type { RedriveAnswer, Target } from '../../../../connectors/mysql/client/client';
import { Bulk } from '../../../../connectors/mysql/operators/bulk';
import type { OutputOptions } from '../../../console/output';
import { Progress } from '../../../console/progress';
import { withClient, withPool } from '../../database';
import { contextOf, dataVerb, type VerbContext } from '../../verb';
import { bulkText, type FilterOptions, filterOf, isByFilter, selectionText, withFilterOptions } from './filter-options';
import { nameOf, type TargetOptions, targetsOf } from './targets';

interface RedriveOptions extends OutputOptions, TargetOptions, FilterOptions {
  readonly yes?: boolean;
}

/** `downspout messages redrive`. */
export function redriveCommand(): Command {
  return withFilterOptions(
    dataVerb('redrive', 'send failed messages again, now; their attempts start again', {
      example: 'downspout messages redrive --channel webhook --error 503 --yes',
      fails: 'one of the messages has not failed, or a filter is given without --yes',
    }),
  )
    .argument('[id...]', 'the messages; or --account and --dedupe-key; or a filter')
    .option('--dedupe-key <key>', 'with --account: the message')
    .option('--yes', 'with a filter: do it; without it, only say how many and which')
    .action(async (ids: string[], options: RedriveOptions) => {
      const context = contextOf(options);
      if (isByFilter(ids, options.dedupeKey, options)) return redriveMany(options, context);
      const targets = targetsOf(ids, options);
      const answers = await withClient(context, (client) => client.redrive(targets));
      if (!answers.every(({ result }) => result === 'redriven')) process.exitCode = 1;
      const named = answers.map((answer, index) => ({ target: targets[index] as Target, answer }));
      context.output.data(
        named.map(({ target, answer }) => ({ ...target, ...answer })),
        () => named.map(({ target, answer }) => `${nameOf(target)} ${textOf(answer)}`).join('\n'),
      );
    });
}

async function redriveMany(options: RedriveOptions, context: VerbContext): Promise<void> {
  const { output } = context;
  const filter = filterOf(options);
  await withPool(context, async (pool) => {
    const bulk = new Bulk(pool);
    const progress = new Progress(output.err);
    if (options.yes !== true) {
      const selection = await bulk.select({ ...filter, state: 'failed' }, (count) => progress.show(`${count} found`));
      progress.end();
      process.exitCode = 1;
      output.data({ done: 0, ...selection }, () => selectionText(selection, 'sends them again', output));
      return;
    }
    const counts = await bulk.redrive(filter, ({ done }) => progress.show(`${done} are sent again`));
    progress.end();
    output.data(counts, () => bulkText(counts, 'are sent again'));
  });
}

function textOf(answer: RedriveAnswer): string {
  if (answer.result === 'not_found') return 'does not exist.';
  if (answer.result === 'not_failed') return `has not failed: ${answer.state}.`;
  return `is sent again; its plan has version ${answer.version} now.`;
}
