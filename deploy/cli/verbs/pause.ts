import type { Command } from 'commander';
import type { OutputOptions } from '../../console/output';
import { audited } from '../audited';
import { withOperations } from '../database';
import { contextOf, dataVerb } from '../verb';

interface PauseOptions extends OutputOptions {
  readonly account?: string;
}

/** `downspout pause`. */
export function pauseCommand(): Command {
  return dataVerb('pause', 'send nothing of a channel, or of one account on it, until it is resumed', {
    example: 'downspout pause webhook --account acme',
  })
    .argument('<channel>')
    .option('--account <name>', 'only this account')
    .action(async (channel: string, options: PauseOptions) => {
      const context = contextOf(options);
      const { account } = options;
      const what = account === undefined ? channel : `${account} on ${channel}`;
      await audited(context, { verb: 'pause', subject: what, after: 'paused' }, () =>
        withOperations(context, (operations) => operations.pause(channel, account)),
      );
      context.output.data({ channel, account: account ?? null, result: 'paused' }, () => {
        return `${what} is paused; workers see it within 2 s, and what is being sent is finished. \`downspout resume\` ends it.`;
      });
    });
}
