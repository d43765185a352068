import type { Command } from 'commander';
import type { Message } from '../../../../connectors/mysql/client/client';
import { parseCount } from '../../../console/durations';
import type { Column, OutputOptions } from '../../../console/output';
import { formatInstant } from '../../../console/units';
import { withOperations } from '../../database';
import { contextOf, dataVerb } from '../../verb';
import { type FilterOptions, filterOf, withFilterOptions } from './filter-options';

interface ListOptions extends OutputOptions, FilterOptions {
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
  return withFilterOptions(
    dataVerb('list', 'a page of messages, newest first', {
      example: 'downspout messages list --state failed --account acme',
    }),
  )
    .option('--limit <n>', 'messages on a page', parseCount, 50)
    .option('--before <id>', 'the next page: messages older than this one', parseCount)
    .action(async (options: ListOptions) => {
      const context = contextOf(options);
      const { before, limit } = options;
      const page = await withOperations(context, (operations) =>
        operations.list(filterOf(options), { limit, ...(before === undefined ? {} : { before }) }),
      );
      context.output.data(page, () => {
        const found = page.messages.length === 0 ? 'No messages.' : context.output.table(columns, page.messages);
        if (page.next === null) return found;
        const searched = page.isFull ? '' : `No index serves this filter, so the search stopped at id ${page.next}. `;
        return `${found}\n\n${searched}More: add --before ${page.next}`;
      });
    });
}

function shortened(text: string): string {
  return text.length <= 60 ? text : `${text.slice(0, 59)}…`;
}
