import type { Command } from 'commander';
import { UserError } from '../../../topology/core/errors';
import type { OutputOptions } from '../../console/output';
import { audited } from '../audited';
import { withOperations } from '../database';
import { contextOf, dataVerb } from '../verb';

interface ResumeOptions extends OutputOptions {
  readonly account?: string;
}

/** `downspout resume`. */
export function resumeCommand(): Command {
  return dataVerb('resume', 'end a pause: what has waited is sent at once', {
    example: 'downspout resume webhook --account acme',
    fails: 'nothing was paused',
  })
    .argument('<channel>')
    .option('--account <name>', 'the pause of this account')
    .action(async (channel: string, options: ResumeOptions) => {
      const context = contextOf(options);
      const { account } = options;
      const what = account === undefined ? `The channel ${channel}` : `${account} on ${channel}`;
      const subject = account === undefined ? channel : `${account} on ${channel}`;
      await audited(context, { verb: 'resume', subject, before: 'paused' }, async () => {
        const was = await withOperations(context, (operations) => operations.resume(channel, account));
        if (!was) throw new UserError(`${what} was not paused. \`downspout status\` shows what is.`);
      });
      context.output.data({ channel, account: account ?? null, result: 'resumed' }, () => `${what} is resumed.`);
    });
}
