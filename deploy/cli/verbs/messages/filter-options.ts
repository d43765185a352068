import { type Command, Option } from 'commander';
import type { Selection } from '../../../../connectors/mysql/operators/bulk';
import type { MessageFilter } from '../../../../connectors/mysql/operators/search';
import type { BulkCounts } from '../../../../connectors/mysql/operators/small-transactions';
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
  readonly late?: true;
}

/** What can be done about many messages of a state at once. */
const verbs: Readonly<Partial<Record<MessageState, string>>> = {
  failed: 'redrive',
  uncertain: 'resolve',
  suspended: 'resume',
  late: 'resume',
};

/** @param actsOn the states that the verb is about; any unless given */
export function withFilterOptions(command: Command, ...actsOn: readonly MessageState[]): Command {
  const states = actsOn.join(' or ');
  const stateText = states === '' ? 'only in this state' : `all that are in this state: ${states} for this verb`;
  return command
    .addOption(new Option('--state <state>', stateText).choices(messageStates))
    .option('--channel <name>', 'only of this channel')
    .option('--account <name>', 'only of this account')
    .option('--due-from <time>', 'due then or later (ISO 8601 with a zone, or epoch milliseconds)')
    .option('--due-until <time>', 'due before then')
    .option('--error <text>', 'only with this text in the last error')
    .option('--late', 'only what is late, or failed because it was not sent in time');
}

export function filterOf({ state, channel, account, dueFrom, dueUntil, error, late }: FilterOptions): MessageFilter {
  return {
    ...(state === undefined ? {} : { state }),
    ...(channel === undefined ? {} : { channel }),
    ...(account === undefined ? {} : { account }),
    ...(dueFrom === undefined ? {} : { dueFrom }),
    ...(dueUntil === undefined ? {} : { dueUntil }),
    ...(error === undefined ? {} : { error }),
    ...(late === undefined ? {} : { isLate: late }),
  };
}

/**
 * Whether messages are meant by a filter, not by their names.
 * @param actsOn the states that the verb is about
 * @throws UserError when by both, or when messages of another state are meant
 */
export function isByFilter(
  ids: readonly string[],
  dedupeKey: string | undefined,
  options: FilterOptions,
  ...actsOn: readonly MessageState[]
): boolean {
  const { account, ...others } = filterOf(options);
  checkState(others.state, actsOn);
  const named = ids.length > 0 || dedupeKey !== undefined;
  const filtered = Object.keys(others).length > 0 || (account !== undefined && dedupeKey === undefined);
  if (named && filtered) throw new UserError('Name the messages, or give a filter; not both.');
  return filtered;
}

function checkState(state: MessageState | undefined, actsOn: readonly MessageState[]): void {
  const [first] = actsOn;
  if (state === undefined || first === undefined || actsOn.includes(state)) return;
  const verb = verbs[state];
  const advice = verb === undefined ? '' : ` For ${state} ones there is \`downspout messages ${verb}\`.`;
  throw new UserError(
    `--state: \`downspout messages ${verbs[first]}\` is about ${actsOn.join(' or ')} messages, not about those that are ${state}.${advice}`,
  );
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
