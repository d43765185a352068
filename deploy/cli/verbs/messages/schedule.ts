import type { Command } from 'commander';
import type { Client, NewMessage, OnExisting } from '../../../../connectors/mysql/client/client';
import { checkTime } from '../../../../connectors/mysql/client/input';
import { UserError } from '../../../../topology/core/errors';
import { audited, type Change } from '../../audited';
import { channelsFor } from '../../channels';
import { withClient } from '../../database';
import { type ChangeOptions, changingVerb, contextOf } from '../../verb';
import { type ContentOptions, dueOf, fieldNames, latePolicyOf, payloadOf, withContentOptions } from './content-options';
import { onExistingOption, refusalOf, textOf } from './schedule-answers';

interface ScheduleOptions extends ChangeOptions, ContentOptions {
  readonly account: string;
  readonly channel: string;
  readonly dedupeKey?: string;
  readonly onExisting: OnExisting;
}

/** `downspout messages schedule`. */
export function scheduleCommand(): Command {
  const command = changingVerb('schedule', 'schedule one message', {
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
    const { schemas } = channelsFor(context);
    const payload = payloadOf(options, channel, schemas);
    if (payload === undefined)
      throw new UserError(`What? Give ${fieldNames(schemas)}; or --payload, or --payload-file.`);
    if (options.due !== undefined) checkTime('dueAt', options.due);
    const policy = latePolicyOf(options);
    const schedule = async (client: Client) => {
      const dueAt = await dueOf(options, client);
      if (dueAt === undefined) throw new UserError('When? Give --due or --in.');
      // The client checks every field; what was typed has no type yet.
      const message = {
        account,
        channel,
        dueAt,
        payload,
        ...policy,
        ...(dedupeKey === undefined ? {} : { dedupeKey }),
      };
      return client.schedule(message as NewMessage, { onExisting: options.onExisting });
    };
    const record = { verb: 'messages schedule', subject: `a message of ${account} on ${channel}` };
    const answer = await audited(context, record, async (change: Change) => {
      const scheduled = await withClient(context, schedule, schemas);
      const refusal = refusalOf(scheduled);
      if (refusal !== undefined) throw new UserError(refusal);
      change.subject = `message ${scheduled.id}`;
      change.after = scheduled;
      change.recorded = scheduled.result === 'replaced';
      return scheduled;
    });
    context.output.data(answer, () => textOf(answer));
  });
}
