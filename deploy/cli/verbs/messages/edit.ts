import type { Command } from 'commander';
import type { Edit, Target } from '../../../../connectors/mysql/client/client';
import { UserError } from '../../../../topology/core/errors';
import { parseCount } from '../../../console/durations';
import type { OutputOptions } from '../../../console/output';
import { withClient } from '../../database';
import { contextOf, dataVerb } from '../../verb';
import { answerText } from './answers';
import { type ContentOptions, dueOf, payloadOf, withContentOptions } from './content-options';
import { nameOf, type TargetOptions, targetsOf } from './targets';

interface EditOptions extends OutputOptions, ContentOptions, TargetOptions {
  readonly ifVersion?: number;
}

/** `downspout messages edit`. */
export function editCommand(): Command {
  const command = dataVerb('edit', 'change when or what a waiting message sends')
    .argument('[id]', 'the message; or --account and --dedupe-key')
    .option('--account <name>')
    .option('--dedupe-key <key>')
    .option('--if-version <n>', 'only if its plan still has this version', parseCount);
  return withContentOptions(command).action(async (id: string | undefined, options: EditOptions) => {
    const context = contextOf(options);
    const target = targetsOf(id === undefined ? [] : [id], options)[0] as Target;
    const dueAt = dueOf(options);
    const payload = payloadOf(options);
    if (dueAt === undefined && payload === undefined) {
      throw new UserError('What shall change? Give a new time (--due, --in) or a new payload.');
    }
    const edit: Edit = {
      ...target,
      ...(dueAt === undefined ? {} : { dueAt }),
      ...(payload === undefined ? {} : { payload }),
      ...(options.ifVersion === undefined ? {} : { version: options.ifVersion }),
    };
    const answer = await withClient(context, (client) => client.edit(edit));
    if (answer.result !== 'edited') process.exitCode = 1;
    context.output.data(answer, () => `${nameOf(target)} ${answerText(answer, 'edit')}`);
  });
}
