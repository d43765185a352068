import type { Command } from 'commander';
import type { MessageOutcome } from '../../../../connectors/mysql/client/client';
import { parseCount } from '../../../console/durations';
import type { Column, OutputOptions } from '../../../console/output';
import { formatDuration } from '../../../console/units';
import { withClient } from '../../database';
import { contextOf, dataVerb } from '../../verb';

interface OutcomesOptions extends OutputOptions {
  readonly since?: string;
  readonly limit: number;
}

const columns: readonly Column<MessageOutcome>[] = [
  { title: 'id', align: 'right', value: (outcome) => String(outcome.id) },
  { title: 'state', value: (outcome) => outcome.state },
  { title: 'channel', value: (outcome) => outcome.channel },
  { title: 'account', value: (outcome) => outcome.account },
  { title: 'dedupe key', value: (outcome) => outcome.dedupeKey ?? '' },
  {
    title: 'after due',
    align: 'right',
    value: ({ deliveredAt, dueAt }) => (deliveredAt === null ? '–' : formatDuration(deliveredAt - dueAt)),
  },
  { title: 'receipt or error', value: (outcome) => outcome.receipt ?? outcome.lastError ?? '' },
];

/** `downspout messages outcomes`. */
export function outcomesCommand(): Command {
  return dataVerb('outcomes', 'what became of messages, in pages without gaps', {
    example: 'downspout messages outcomes --limit 100 --json',
  })
    .option('--since <cursor>', 'continue after an earlier page; from the beginning unless given')
    .option('--limit <n>', 'outcomes on a page', parseCount, 1_000)
    .action(async (options: OutcomesOptions) => {
      const context = contextOf(options);
      const page = await withClient(context, (client) => client.outcomes(options.since, options.limit));
      context.output.data(page, () => {
        const table = page.outcomes.length === 0 ? 'Nothing new.' : context.output.table(columns, page.outcomes);
        return `${table}\n\n${page.more ? 'More is there' : 'Later'}: add --since ${page.next}`;
      });
    });
}
