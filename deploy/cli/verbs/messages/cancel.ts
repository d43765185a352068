import type { Command } from 'commander';
import type { CancelAnswer, Target } from '../../../../connectors/mysql/client/client';
import { withClient } from '../../database';
import { type ChangeOptions, changingVerb, contextOf } from '../../verb';
import { answerText } from './answers';
import { auditedMessages } from './audited-messages';
import { nameOf, type TargetOptions, targetsOf } from './targets';

interface CancelOptions extends ChangeOptions, TargetOptions {}

/** `downspout messages cancel`. */
export function cancelCommand(): Command {
  return changingVerb('cancel', 'take messages back; after the answer `canceled` nothing is sent', {
    example: 'downspout messages cancel 17 18',
    fails: 'one of the messages was not canceled',
  })
    .argument('[id...]', 'the messages; or --account and --dedupe-key')
    .option('--account <name>')
    .option('--dedupe-key <key>')
    .action(async (ids: string[], options: CancelOptions) => {
      const context = contextOf(options);
      const targets = targetsOf(ids, options);
      const answers = await auditedMessages(context, 'messages cancel', targets, () =>
        withClient(context, (client) => client.cancel(targets)),
      );
      const named = answers.map((answer, index) => ({ target: targets[index] as Target, answer }));
      if (!answers.every(isCanceled)) process.exitCode = 1;
      context.output.data(
        named.map(({ target, answer }) => ({ ...target, ...answer })),
        () => named.map(({ target, answer }) => `${nameOf(target)} ${answerText(answer, 'cancel')}`).join('\n'),
      );
    });
}

/** Canceling what is canceled is no failure. */
function isCanceled(answer: CancelAnswer): boolean {
  return answer.result === 'canceled' || (answer.result === 'already' && answer.state === 'canceled');
}
