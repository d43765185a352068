import type { Command } from 'commander';
import type { Client, Edit, EditAnswer, Target } from '../../../../connectors/mysql/client/client';
import { checkTime } from '../../../../connectors/mysql/client/input';
import { UserError } from '../../../../topology/core/errors';
import type { Schemas } from '../../../../topology/payloads/given-channel';
import { parseCount } from '../../../console/durations';
import { channelsFor } from '../../channels';
import { withClient } from '../../database';
import { type ChangeOptions, changingVerb, contextOf } from '../../verb';
import { answerText } from './answers';
import { auditedMessages } from './audited-messages';
import {
  type ContentOptions,
  dueOf,
  latePolicyOf,
  payloadGiven,
  payloadOf,
  withContentOptions,
} from './content-options';
import { nameOf, type TargetOptions, targetsOf } from './targets';

interface EditOptions extends ChangeOptions, ContentOptions, TargetOptions {
  readonly ifVersion?: number;
}

/** `downspout messages edit`. */
export function editCommand(): Command {
  const command = changingVerb('edit', 'change when or what a waiting message sends', {
    example: 'downspout messages edit 17 --due 2027-01-31T09:00:00+01:00',
    fails: 'it was too late',
  })
    .argument('[id]', 'the message; or --account and --dedupe-key')
    .option('--account <name>')
    .option('--dedupe-key <key>')
    .option('--if-version <n>', 'only if its plan still has this version', parseCount);
  return withContentOptions(command).action(async (id: string | undefined, options: EditOptions) => {
    const context = contextOf(options);
    const target = targetsOf(id === undefined ? [] : [id], options)[0] as Target;
    const { schemas } = channelsFor(context);
    const policy = latePolicyOf(options);
    const isTimed = options.due !== undefined || options.in !== undefined;
    if (!isTimed && Object.keys(policy).length === 0 && payloadGiven(options, schemas) === 'not') {
      throw new UserError(
        'What shall change? Give a new time (--due, --in), a new payload, --send-within or --on-late.',
      );
    }
    if (options.due !== undefined) checkTime('dueAt', options.due);
    const edited = () =>
      withClient(
        context,
        async (client) => {
          const dueAt = await dueOf(options, client);
          const payload = payloadOf(options, await channelOf(target, options, client, schemas), schemas);
          const edit: Edit = {
            ...target,
            ...(dueAt === undefined ? {} : { dueAt }),
            ...(payload === undefined ? {} : { payload }),
            ...policy,
            ...(options.ifVersion === undefined ? {} : { version: options.ifVersion }),
          };
          return client.edit([edit]);
        },
        schemas,
      );
    const [answer] = (await auditedMessages(context, 'messages edit', [target], edited)) as [EditAnswer];
    if (answer.result !== 'edited') process.exitCode = 1;
    context.output.data(answer, () => `${nameOf(target)} ${answerText(answer, 'edit')}`);
  });
}

/** A message keeps its channel for ever, so it may be read before the edit. '' where nothing depends on it. */
async function channelOf(target: Target, options: EditOptions, client: Client, schemas: Schemas): Promise<string> {
  if (payloadGiven(options, schemas) !== 'fields') return '';
  const message = await client.get(target);
  if (message === null) throw new UserError(`${nameOf(target)} does not exist.`);
  return message.channel;
}
