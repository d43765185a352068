import type { Command } from 'commander';
import { parseDuration } from '../../../console/durations';
import type { OutputOptions } from '../../../console/output';
import { Progress } from '../../../console/progress';
import { formatCount } from '../../../console/units';
import { withOperations } from '../../database';
import { contextOf, dataVerb } from '../../verb';

interface PurgeOptions extends OutputOptions {
  readonly olderThan: number;
}

/** `downspout messages purge`. */
export function purgeCommand(): Command {
  return dataVerb('purge', 'delete messages that ended long ago, with their attempts', {
    example: 'downspout messages purge --older-than 30d',
  })
    .requiredOption('--older-than <duration>', 'ended longer ago than this, for example 30d', parseDuration)
    .action(async (options: PurgeOptions) => {
      const context = contextOf(options);
      const progress = new Progress(context.output.err);
      const deleted = await withOperations(context, (operations) =>
        operations.purge(options.olderThan, (count) => progress.show(`${formatCount(count)} messages deleted`)),
      );
      progress.end();
      context.output.data({ deleted }, () => `${formatCount(deleted)} messages are deleted.`);
    });
}
