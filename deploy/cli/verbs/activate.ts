import type { Command } from 'commander';
import { UserError } from '../../../topology/core/errors';
import { withOperations } from '../database';
import { type ChangeOptions, changingVerb, contextOf } from '../verb';
import { beginPause, endPause, nameOf, untilOption, untilText } from './pause';

interface DeactivateOptions extends ChangeOptions {
  readonly until?: string;
}

const EVERYTHING = { channel: null, account: null };

/** `downspout deactivate`. */
export function deactivateCommand(): Command {
  return changingVerb('deactivate', 'send nothing at all: spouts emit nothing, and sends in flight finish', {
    example: 'downspout deactivate --until 30min',
  })
    .option(...untilOption)
    .addHelpText(
      'after',
      '\nMessages may be scheduled, edited and canceled meanwhile. Workers keep running; `downspout status` says that the topology is\n' +
        'deactivated. Pauses of channels and accounts stay as they are.',
    )
    .action(async (options: DeactivateOptions) => {
      const context = contextOf(options);
      const pause = await beginPause(context, 'deactivate', EVERYTHING, options.until);
      context.output.data(
        { ...pause, result: 'deactivated' },
        () =>
          `The topology is deactivated${untilText(pause)}; workers see it within 2 s, and what is being sent is finished. \`downspout activate\` ends it.`,
      );
    });
}

/** `downspout activate`. */
export function activateCommand(): Command {
  return changingVerb('activate', 'end `downspout deactivate`: what has waited is sent at once', {
    example: 'downspout activate',
    fails: 'the topology is active already',
  }).action(async (options: ChangeOptions) => {
    const context = contextOf(options);
    await endPause(context, 'activate', EVERYTHING, isActive);
    const pauses = await withOperations(context, (operations) => operations.pauses());
    const others = pauses.filter(({ channel }) => channel !== null);
    context.output.data({ result: 'activated', pauses: others }, () =>
      others.length === 0
        ? 'The topology is active.'
        : `The topology is active. Still paused: ${others.map(nameOf).join(', ')}; \`downspout resume\` ends that.`,
    );
  });
}

function isActive(): UserError {
  return new UserError('The topology is active already. `downspout status` shows what else is paused.');
}
