import type { Command } from 'commander';
import type { RedriveAnswer, Target } from '../../../../connectors/mysql/client/client';
import type { OutputOptions } from '../../../console/output';
import { withClient } from '../../database';
import { contextOf, dataVerb } from '../../verb';
import { nameOf, type TargetOptions, targetsOf } from './targets';

interface RedriveOptions extends OutputOptions, TargetOptions {}

/** `downspout messages redrive`. */
export function redriveCommand(): Command {
  return dataVerb('redrive', 'send failed messages again, now; their attempts start again', {
    example: 'downspout messages redrive 17 18',
    fails: 'one of the messages has not failed',
  })
    .argument('[id...]', 'the messages; or --account and --dedupe-key')
    .option('--account <name>')
    .option('--dedupe-key <key>')
    .action(async (ids: string[], options: RedriveOptions) => {
      const context = contextOf(options);
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

function textOf(answer: RedriveAnswer): string {
  if (answer.result === 'not_found') return 'does not exist.';
  if (answer.result === 'not_failed') return `has not failed: ${answer.state}.`;
  return `is sent again; its plan has version ${answer.version} now.`;
}
