import type { Command } from 'commander';
import type { Resolution, ResolveAnswer, Target } from '../../../../connectors/mysql/client/client';
import { UserError } from '../../../../topology/core/errors';
import type { OutputOptions } from '../../../console/output';
import { withWorkersClient } from '../../database';
import { contextOf, dataVerb } from '../../verb';
import { nameOf, type TargetOptions, targetsOf } from './targets';

interface ResolveOptions extends OutputOptions, TargetOptions {
  readonly delivered?: boolean;
  readonly retry?: boolean;
  readonly receipt?: string;
  readonly at?: string;
}

/** `downspout messages resolve`. */
export function resolveCommand(): Command {
  return dataVerb('resolve', 'decide about uncertain messages, which may or may not have been accepted', {
    example: 'downspout messages resolve 17 --delivered',
    fails: 'one of the messages is not uncertain',
  })
    .argument('[id...]', 'the messages; or --account and --dedupe-key')
    .option('--account <name>')
    .option('--dedupe-key <key>')
    .option('--delivered', 'the provider has it')
    .option('--receipt <text>', "with --delivered: the provider's receipt")
    .option('--at <time>', 'with --delivered: when, in ISO 8601 with a zone; now unless given')
    .option('--retry', 'send it again now, although the provider may have it')
    .addHelpText('after', '\nThis needs WORKER_DATABASE_URL: an application may not write what came of a message.')
    .action(async (ids: string[], options: ResolveOptions) => {
      const context = contextOf(options);
      const targets = targetsOf(ids, options);
      const resolutions = targets.map((target) => resolutionOf(target, options));
      const answers = await withWorkersClient(context, (client) => client.resolve(resolutions));
      if (!answers.every(({ result }) => result === 'resolved')) process.exitCode = 1;
      const named = answers.map((answer, index) => ({ target: targets[index] as Target, answer }));
      context.output.data(
        named.map(({ target, answer }) => ({ ...target, ...answer })),
        () => named.map(({ target, answer }) => `${nameOf(target)} ${textOf(answer, options)}`).join('\n'),
      );
    });
}

function resolutionOf(target: Target, { delivered, retry, receipt, at }: ResolveOptions): Resolution {
  if ((delivered === true) === (retry === true)) {
    throw new UserError('What did you find out? Give --delivered, or --retry to send it again.');
  }
  if (retry === true) {
    if (receipt === undefined && at === undefined) return { ...target, as: 'retry' };
    throw new UserError('--receipt and --at belong to --delivered.');
  }
  return {
    ...target,
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
