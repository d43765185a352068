import type { Command } from 'commander';
import { UserError } from '../../../topology/core/errors';
import { type ChangeOptions, changingVerb, contextOf } from '../verb';
import { endPause, nameOf } from './pause';

interface ResumeOptions extends ChangeOptions {
  readonly account?: string;
}

/** `downspout resume`. */
export function resumeCommand(): Command {
  return changingVerb('resume', 'end a pause: what has waited is sent at once', {
    example: 'downspout resume webhook --account acme',
    fails: 'nothing was paused',
  })
    .argument('<channel>')
    .option('--account <name>', 'the pause of this account')
    .action(async (channel: string, options: ResumeOptions) => {
      const context = contextOf(options);
      const scope = { channel, account: options.account ?? null };
      const what = scope.account === null ? `The channel ${channel}` : nameOf(scope);
      const missing = () => new UserError(`${what} was not paused. \`downspout status\` shows what is.`);
      await endPause(context, 'resume', scope, missing);
      context.output.data({ ...scope, result: 'resumed' }, () => `${what} is resumed.`);
    });
}
