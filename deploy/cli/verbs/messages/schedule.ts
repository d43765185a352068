import type { Command } from 'commander';
import type { NewMessage, OnExisting } from '../../../../connectors/mysql/client/client';
import { UserError } from '../../../../topology/core/errors';
import type { OutputOptions } from '../../../console/output';
import { withClient } from '../../database';
import { contextOf, dataVerb } from '../../verb';
import { type ContentOptions, dueOf, fieldNames, payloadOf, withContentOptions } from './content-options';
import { onExistingOption, refusalOf, textOf } from './schedule-answers';

interface ScheduleOptions extends OutputOptions, ContentOptions {
  readonly account: string;
  readonly channel: string;
  readonly dedupeKey?: string;
  readonly onExisting: OnExisting;
}

/** `downspout messages schedule`. */
export function scheduleCommand(): Command {
  const command = dataVerb('schedule', 'schedule one message', {
    example: `downspout messages schedule --account acme --in 10min --url https://example.com/hook --body '{"hello":1}'`,
    fails: 'another message has the dedupe key',
  })
    .requiredOption('--account <name>', 'on whose behalf')
    .option('--channel <name>', 'how it leaves', 'webhook')
    .option('--dedupe-key <key>', 'scheduling twice under one key is scheduling once')
    .addOption(onExistingOption());
  return withContentOptions(command).action(async (options: ScheduleOptions) => {
    const context = contextOf(options);
    const { account, channel, dedupeKey } = options;
    const payload = payloadOf(options, channel);
    if (payload === undefined) throw new UserError(`What? Give ${fieldNames()}; or --payload, or --payload-file.`);
    const answer = await withClient(context, async (client) => {
      const dueAt = await dueOf(options, client);
      if (dueAt === undefined) throw new UserError('When? Give --due or --in.');
      // The client checks every field; what was typed has no type yet.
      const message = { account, channel, dueAt, payload, ...(dedupeKey === undefined ? {} : { dedupeKey }) };
      return client.schedule(message as NewMessage, { onExisting: options.onExisting });
    });
    const refusal = refusalOf(answer);
    if (refusal !== undefined) throw new UserError(refusal);
    context.output.data(answer, () => textOf(answer));
  });
}
