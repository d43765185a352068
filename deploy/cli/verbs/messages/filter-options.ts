import { type Command, Option } from 'commander';
import type { BulkCounts, Selection } from '../../../../connectors/mysql/operators/bulk';
import type { MessageFilter } from '../../../../connectors/mysql/operators/search';
import { UserError } from '../../../../topology/core/errors';
import { type MessageState, messageStates } from '../../../../topology/message';
import type { Output } from '../../../console/output';
import { counted, formatCount, formatInstant } from '../../../console/units';

/** The conditions of `messages list`, which `redrive`, `resolve` and `resume` have too. */
export interface FilterOptions {
  readonly state?: MessageState;
  readonly channel?: string;
  readonly account?: string;
  readonly dueFrom?: string;
  readonly dueUntil?: string;
  readonly error?: string;
}

export function stateOption(): Option {
  return new Option('--state <state>', 'only these').choices(messageStates);
}

export function withFilterOptions(command: Command): Command {
  return command
    .option('--channel <name>', 'only of this channel')
    .option('--account <name>', 'only of this account')
    .option('--due-from <time>', 'due then or later (ISO 8601 with a zone, or epoch milliseconds)')
    .option('--due-until <time>', 'due before then')
    .option('--error <text>', 'only with this text in the last error');
}

export function filterOf({ state, channel, account, dueFrom, dueUntil, error }: FilterOptions): MessageFilter {
  return {
    ...(state === undefined ? {} : { state }),
    ...(channel === undefined ? {} : { channel }),
    ...(account === undefined ? {} : { account }),
    ...(dueFrom === undefined ? {} : { dueFrom }),
    ...(dueUntil === undefined ? {} : { dueUntil }),
    ...(error === undefined ? {} : { error }),
  };
}

/** Whether messages are meant by a filter, not by their names. @throws UserError when by both */
export function isByFilter(ids: readonly string[], dedupeKey: string | undefined, options: FilterOptions): boolean {
  const { account, ...others } = filterOf(options);
  const named = ids.length > 0 || dedupeKey !== undefined;
  const filtered = Object.keys(others).length > 0 || (account !== undefined && dedupeKey === undefined);
  if (named && filtered) throw new UserError('Name the messages, or give a filter; not both.');
  return filtered;
}

/** What a filter selects. */
export function selectionText({ count, sample, isFirst = false }: Selection, output: Output): string {
  if (count === 0) return 'No message is selected.';
  const lines = sample.map(
    ({ id, channel, account, dueAt, lastError }) =>
      `  ${id}  ${channel}  ${account}  due ${formatInstant(dueAt)}  ${(lastError ?? '').slice(0, 60)}`,
  );
  const more = count > sample.length ? [`  and ${formatCount(count - sample.length)} more`] : [];
  return [
    `${output.colors.bold(formatCount(count))} messages are selected, ${isFirst ? 'the first' : 'the newest'} of them:`,
    ...lines,
    ...more,
  ].join('\n');
}

export function bulkText({ done, skipped }: BulkCounts, what: string): string {
  const others = skipped === 0 ? '' : ` ${formatCount(skipped)} had changed meanwhile and were left.`;
  return `${counted(done, 'message')} ${what}.${others}`;
}
