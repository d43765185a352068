import { type Command, Option } from 'commander';
import type { Message } from '../../../../connectors/mysql/client/client';
import type { MessageFilter } from '../../../../connectors/mysql/client/messages';
import { messageStates } from '../../../../topology/message';
import { parseCount } from '../../../console/durations';
import type { Column, OutputOptions } from '../../../console/output';
import { formatInstant } from '../../../console/units';
import { withOperations } from '../../database';
import { contextOf, dataVerb } from '../../verb';

interface ListOptions extends OutputOptions, MessageFilter {
  readonly before?: number;
  readonly limit: number;
}

const columns: readonly Column<Message>[] = [
  { title: 'id', align: 'right', value: (message) => String(message.id) },
  { title: 'state', value: (message) => (message.inDoubt ? `${message.state}, in doubt` : message.state) },
  { title: 'channel', value: (message) => message.channel },
  { title: 'account', value: (message) => message.account },
  { title: 'due', value: (message) => formatInstant(message.dueAt) },
  { title: 'attempts', align: 'right', value: (message) => String(message.attempts) },
  { title: 'version', align: 'right', value: (message) => String(message.version) },
  { title: 'last error', value: (message) => shortened(message.lastError ?? '') },
];

/** `downspout messages list`. */
export function listCommand(): Command {
  return dataVerb('list', 'a page of messages, newest first', {
    example: 'downspout messages list --state failed --account acme',
  })
    .addOption(new Option('--state <state>', 'only these').choices(messageStates))
    .option('--channel <name>', 'only of this channel')
    .option('--account <name>', 'only of this account')
    .option('--due-from <time>', 'due then or later (ISO 8601 with a zone, or epoch milliseconds)')
    .option('--due-until <time>', 'due before then')
    .option('--limit <n>', 'messages on a page', parseCount, 50)
    .option('--before <id>', 'the next page: messages older than this one', parseCount)
    .action(async (options: ListOptions) => {
      const context = contextOf(options);
      const { before, limit, json: _, verbose: __, ...filter } = options;
      const page = await withOperations(context, (operations) =>
        operations.list(filter, { limit, ...(before === undefined ? {} : { before }) }),
      );
      context.output.data(page, () => {
        if (page.messages.length === 0) return 'No messages.';
        const more = page.next === null ? '' : `\n\nMore: add --before ${page.next}`;
        return context.output.table(columns, page.messages) + more;
      });
    });
}

function shortened(text: string): string {
  return text.length <= 60 ? text : `${text.slice(0, 59)}…`;
}
