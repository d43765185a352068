import type { Command } from 'commander';
import { sendWithinOf } from '../../../../connectors/channels/channel-kinds';
import { isCredential } from '../../../../connectors/channels/http/redaction';
import type { Message, Target } from '../../../../connectors/mysql/client/client';
import type { Attempt } from '../../../../connectors/mysql/client/messages';
import { limitedNow } from '../../../../connectors/mysql/operators/limited';
import { Operations } from '../../../../connectors/mysql/operators/operations';
import { Status } from '../../../../connectors/mysql/operators/status';
import { listWorkers } from '../../../../connectors/mysql/operators/worker-status';
import { AccountStates } from '../../../../connectors/mysql/secrets/account-states';
import { UserError } from '../../../../topology/core/errors';
import { showJson } from '../../../../topology/core/json-text';
import { channelPolicy, endOf, type LatenessPolicy, policyOf } from '../../../../topology/core/lateness';
import { type Column, type Output, type OutputOptions, printable } from '../../../console/output';
import { formatDuration, formatInstant } from '../../../console/units';
import { sendersOf } from '../../../inspect/database-report';
import { runningTopology } from '../../../inspect/running-topology';
import { type Hold, whatHolds } from '../../../inspect/what-holds';
import { channelsFor } from '../../channels';
import { withPool } from '../../database';
import { contextOf, dataVerb } from '../../verb';
import { nameOf, type TargetOptions, targetsOf } from './targets';

interface ShowOptions extends OutputOptions, TargetOptions {}

const attemptColumns: readonly Column<Attempt>[] = [
  { title: 'at', value: (attempt) => formatInstant(attempt.startedAt ?? attempt.finishedAt) },
  {
    title: 'after wake',
    align: 'right',
    value: ({ startedAt, wakeAt }) => (startedAt === null ? '–' : formatDuration(startedAt - wakeAt)),
  },
  {
    title: 'took',
    align: 'right',
    value: ({ startedAt, finishedAt }) => (startedAt === null ? '–' : formatDuration(finishedAt - startedAt)),
  },
  { title: 'version', align: 'right', value: (attempt) => String(attempt.version) },
  { title: 'outcome', value: (attempt) => attempt.outcome },
  { title: 'status', align: 'right', value: (attempt) => String(attempt.status ?? '–') },
  { title: 'worker', value: whoOf },
  { title: 'error or receipt', value: (attempt) => attempt.error ?? attempt.receipt ?? '' },
];

function whoOf({ worker, session }: Attempt): string {
  return worker ?? (/^0+$/.test(session) ? 'a person' : session.slice(0, 8));
}

/** `downspout messages show`. */
export function showCommand(): Command {
  return dataVerb('show', 'one message: what holds it now, and every attempt to send it', {
    example: 'downspout messages show 17',
  })
    .argument('[id]', 'the message; or --account and --dedupe-key')
    .option('--account <name>')
    .option('--dedupe-key <key>')
    .action(async (id: string | undefined, options: ShowOptions) => {
      const context = contextOf(options);
      const target = targetsOf(id === undefined ? [] : [id], options)[0] as Target;
      const found = await withPool(context, async (pool) => {
        const operations = new Operations(pool);
        const shown = await operations.show(target);
        if (shown === null) throw new UserError(`${nameOf(target)} does not exist.`);
        const now = await new Status(pool).now();
        const { account, channel } = shown.message;
        const [pauses, limited, workers, running, state] = await Promise.all([
          operations.pauses(),
          limitedNow(pool, { account, channel }),
          listWorkers(pool),
          runningTopology(pool, context.settings.environment),
          new AccountStates(pool).of(account, channel),
        ]);
        const senders = sendersOf(running);
        const { attempts } = shown;
        const around = { now, pauses, limited, workers, attempts, senders, topology: running.source, account: state };
        const bolt = running.settings.bolts[channel] ?? { onLate: 'suspend' };
        const policy = channelPolicy(bolt, sendWithinOf(channel, channelsFor(context).kinds));
        return { ...shown, policy, holds: whatHolds(shown.message, around) };
      });
      context.output.data(found, () => messageText(found, context.output));
    });
}

interface Shown {
  readonly message: Message;
  readonly attempts: readonly Attempt[];
  readonly holds: readonly Hold[];
  /** Of its channel. */
  readonly policy: LatenessPolicy;
}

/** Until when it is sent, if it waits; null when it is sent however late it is. */
export function untilText(message: Message, channel: LatenessPolicy): string | null {
  const end = endOf(message, channel);
  if (end === Number.POSITIVE_INFINITY || !['scheduled', 'sending', 'suspended'].includes(message.state)) return null;
  const then = policyOf(message, channel).onLate === 'skip' ? 'it is skipped' : 'a person decides';
  return `${formatInstant(end)}; afterwards ${then}`;
}

function messageText({ message, attempts, holds, policy }: Shown, output: Output): string {
  const { bold, dim } = output.colors;
  const wall = message.localTime === null ? '' : ` (${message.localTime} ${message.zone ?? ''})`;
  const lateness =
    message.deliveredAt === null ? '' : ` (${formatDuration(message.deliveredAt - message.dueAt)} after due)`;
  const fields: readonly (readonly [string, string | null])[] = [
    ['state', message.inDoubt ? `${message.state}, in doubt: an attempt may have been accepted` : message.state],
    ...holds.map(({ text }, index) => [index === 0 ? 'now' : '', text] as const),
    ['channel', message.channel],
    ['account', message.account],
    ['dedupe key', message.dedupeKey],
    ['due', `${formatInstant(message.dueAt)}${wall}`],
    ['next try', message.wakeAt === message.dueAt || message.wakeAt === null ? null : formatInstant(message.wakeAt)],
    ['send until', untilText(message, policy)],
    ['delivered', message.deliveredAt === null ? null : `${formatInstant(message.deliveredAt)}${lateness}`],
    ['receipt', message.receipt],
    ['last error', message.lastError],
    ['attempts', String(message.attempts)],
    ['version', String(message.version)],
    ['created', formatInstant(message.createdAt)],
    ['updated', formatInstant(message.updatedAt)],
    ['payload', showJson(withoutCredentials(message.payload), '')],
  ];
  const lines = fields.flatMap(([name, value]) =>
    value === null ? [] : [`  ${dim(name.padEnd(10))}  ${printable(value)}`],
  );
  const ledger = attempts.length === 0 ? dim('No attempts yet.') : output.table(attemptColumns, attempts);
  return [bold(`Message ${message.id}`), ...lines, '', ledger].join('\n');
}

/** A screen is seen, shared and recorded by others; `--json` is for programs and has everything. */
export function withoutCredentials(payload: unknown): unknown {
  const { headers } = (payload ?? {}) as { readonly headers?: unknown };
  if (typeof headers !== 'object' || headers === null) return payload;
  const shown = Object.entries(headers).map(([name, value]) => [
    name,
    isCredential(name, String(value)) ? '(hidden; --json shows it)' : (value as unknown),
  ]);
  return { ...(payload as object), headers: Object.fromEntries(shown) as unknown };
}
