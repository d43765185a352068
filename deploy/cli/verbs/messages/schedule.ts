import type { Command } from 'commander';
import type { NewMessage } from '../../../../connectors/mysql/client/client';
import { UserError } from '../../../../topology/core/errors';
import type { OutputOptions } from '../../../console/output';
import { withClient } from '../../database';
import { contextOf, dataVerb } from '../../verb';
import { type ContentOptions, dueOf, fieldNames, payloadOf, withContentOptions } from './content-options';

interface ScheduleOptions extends OutputOptions, ContentOptions {
  readonly account: string;
  readonly channel: string;
  readonly dedupeKey?: string;
}

/** `downspout messages schedule`. */
export function scheduleCommand(): Command {
  const command = dataVerb('schedule', 'schedule one message', {
    example: `downspout messages schedule --account acme --in 10min --url https://example.com/hook --body '{"hello":1}'`,
    fails: 'another message has the dedupe key',
  })
    .requiredOption('--account <name>', 'on whose behalf')
    .option('--channel <name>', 'how it leaves', 'webhook')
    .option('--dedupe-key <key>', 'scheduling twice under one key is scheduling once');
  return withContentOptions(command).action(async (options: ScheduleOptions) => {
    const context = contextOf(options);
    const { account, channel, dedupeKey } = options;
    const dueAt = dueOf(options);
    if (dueAt === undefined) throw new UserError('When? Give --due or --in.');
    const payload = payloadOf(options, channel);
    if (payload === undefined) throw new UserError(`What? Give ${fieldNames()}; or --payload, or --payload-file.`);
    // The client checks every field; what was typed has no type yet.
    const message = { account, channel, dueAt, payload, ...(dedupeKey === undefined ? {} : { dedupeKey }) };
    const answer = await withClient(context, (client) => client.schedule(message as NewMessage));
    if (answer.result === 'conflict') {
      throw new UserError(`Message ${answer.id} has this dedupe key already, with other content or another time.`);
    }
    context.output.data(answer, () =>
      answer.created
        ? `Message ${answer.id} is scheduled.`
        : `Message ${answer.id} was scheduled before, with the same content.`,
    );
  });
}
