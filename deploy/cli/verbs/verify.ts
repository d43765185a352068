import { type Command, Option } from 'commander';
import { classOf, keyLifetimeOf } from '../../../connectors/channels/channel-kinds';
import type { Invariant } from '../../../connectors/mysql/operators/verify/seen';
import {
  type Balance,
  type Finding,
  type Oldest,
  type VerifyReport,
  verify,
} from '../../../connectors/mysql/operators/verify/verify';
import { parseCount, parseDuration } from '../../console/durations';
import { type Column, type Output, type OutputOptions, printable } from '../../console/output';
import { Progress } from '../../console/progress';
import { formatCount, formatDuration, formatInstant } from '../../console/units';
import { channelsFor } from '../channels';
import { withPool } from '../database';
import { interruptible } from '../interrupt';
import { contextOf, dataVerb } from '../verb';

interface VerifyOptions extends OutputOptions {
  readonly patience: number;
  readonly examples: number;
  readonly all?: boolean;
}

/** What each invariant promises, and what the table cannot show of it. */
const promises: Readonly<Record<Invariant, { readonly promise: string; readonly unseen: string }>> = {
  I1: {
    promise: 'never lost: what was scheduled and not canceled ends delivered, failed or uncertain',
    unseen: "the clients' log: which messages were acknowledged",
  },
  I2: { promise: 'never early: no attempt before its wake', unseen: "the receiver's log: its own clock" },
  I3: {
    promise: 'no request after a cancel, or with old content after an edit',
    unseen: "the clients' log: when the answer came; the receiver's: what arrived",
  },
  I4: {
    promise: 'accepted once; requests are repeated only after a death or a lost answer',
    unseen: "the receiver's log: what was accepted, and requests of workers that died",
  },
  I5: {
    promise: 'first attempts of an account begin in the order of their wakes, while nothing fails',
    unseen: 'a record of what failed and when, beside the ledger',
  },
  I6: {
    promise: 'the row tells the truth',
    unseen: "the receiver's log: that delivered is accepted, and accepted is delivered",
  },
  I7: {
    promise: 'everything comes to rest, and the counts agree',
    unseen: "`downspout lag` for Kafka; the clients' and the receiver's counts",
  },
};

/** `downspout verify`. */
export function verifyCommand(): Command {
  return dataVerb('verify', 'whether the promises hold, as far as the table and the ledger show', {
    example: 'downspout verify --json',
    fails: 'a promise is broken',
  })
    .addOption(
      new Option('--patience <duration>', 'how long a message may be overdue while its channel is served')
        .argParser(parseDuration)
        .default(900_000, '15min'),
    )
    .option('--all', 'check every message, not only what may have changed since the last time that nothing was found')
    .option('--examples <n>', 'messages named for each invariant', parseCount, 5)
    .addHelpText(
      'after',
      '\nNew messages, those with new attempts and those that are overdue are checked. What somebody changes by hand is seen with --all.' +
        '\nIt can run at any time: it takes no locks and reads a few thousand rows at once.' +
        '\nOverdue messages count against I1 when workers have run for all of --patience, nothing is paused, and nothing of their' +
        '\naccount was tried in that time; after a pause that was longer, until the account moves again.',
    )
    .action(async (options: VerifyOptions) => {
      const context = contextOf(options);
      const { output } = context;
      const { kinds } = channelsFor(context);
      const progress = new Progress(output.err);
      const report = await interruptible(output, ({ check }) =>
        withPool(context, (pool) =>
          verify(pool, {
            classOf: (channel) => classOf(channel, kinds),
            keyLifetimeOf: (channel) => keyLifetimeOf(channel, kinds),
            patienceMs: options.patience,
            sinceMark: options.all !== true,
            examples: options.examples,
            report: (messages, share) => {
              progress.show(`${formatCount(messages)} messages looked at, ${Math.floor(share * 100)} %`);
              check();
            },
          }),
        ),
      ).finally(() => progress.end());
      if (report.findings.some(({ violations }) => violations > 0)) process.exitCode = 1;
      const findings = report.findings.map((finding) => ({
        ...finding,
        verdict: verdictOf(finding),
        ...promises[finding.invariant],
      }));
      output.data({ ...report, findings }, () => reportText(report, output));
    });
}

function verdictOf({ invariant, violations }: Finding): 'holds' | 'violated' | 'not seen' {
  if (violations > 0) return 'violated';
  return invariant === 'I5' ? 'not seen' : 'holds';
}

function reportText(report: VerifyReport, output: Output): string {
  const { bold } = output.colors;
  return [
    `${bold('Balance')} (${scopeText(report)})\n${balanceText(report, output)}`,
    `${bold('Invariants')} (${formatCount(report.messages)} messages, ${formatCount(report.attempts)} attempts)\n${findingsText(report, output)}`,
    `${bold('What other witnesses are needed for')}\n${unseenText(report)}`,
    ...(report.findings.some(({ violations }) => violations > 0) ? [violationsText(report, output)] : []),
  ].join('\n\n');
}

function scopeText({ since }: VerifyReport): string {
  return since === null
    ? 'messages by channel'
    : `messages that may have changed since ${formatInstant(since)}, when nothing was found; --all checks every one`;
}

function balanceText({ balance, oldestWaiting, oldestSending, now }: VerifyReport, output: Output): string {
  const columns: readonly Column<Balance>[] = [
    { title: 'channel', value: ({ channel }) => channel },
    count('scheduled in all', ({ total }) => total),
    count('= delivered', ({ delivered }) => delivered),
    count('+ failed', ({ failed }) => failed),
    count('+ canceled', ({ canceled }) => canceled),
    count('+ uncertain', ({ uncertain }) => uncertain),
    count('+ waiting', ({ scheduled, sending }) => scheduled + sending),
    count('(being sent)', ({ sending }) => sending),
    count('+ suspended', ({ suspended }) => suspended),
    count('+ late', ({ late }) => late),
  ];
  const table = balance.length === 0 ? 'No messages.' : output.table(columns, balance);
  const oldest = [
    `Oldest overdue: ${oldestText(oldestWaiting, now)}`,
    `Oldest being sent: ${oldestText(oldestSending, now)}`,
  ];
  return [table, ...oldest].join('\n');
}

function count(title: string, value: (row: Balance) => number): Column<Balance> {
  return { title, align: 'right', value: (row) => formatCount(value(row)) };
}

function oldestText(oldest: Oldest | null, now: number): string {
  if (oldest === null) return 'none.';
  const { id, channel, account, since } = oldest;
  return `message ${id} of ${channel}, account ${printable(account)}, for ${formatDuration(now - since)}.`;
}

function findingsText({ findings }: VerifyReport, output: Output): string {
  const columns: readonly Column<Finding>[] = [
    { title: '', value: ({ invariant }) => invariant },
    {
      title: 'table and ledger',
      value: (finding) =>
        finding.violations === 0 ? verdictOf(finding) : `VIOLATED by ${formatCount(finding.violations)}`,
    },
    { title: 'promise', value: ({ invariant }) => promises[invariant].promise },
  ];
  return output.table(columns, findings);
}

function unseenText({ findings }: VerifyReport): string {
  return findings.map(({ invariant }) => `${invariant}  ${promises[invariant].unseen}`).join('\n');
}

function violationsText({ findings }: VerifyReport, output: Output): string {
  const lines = findings.flatMap(({ violations, examples }) => [
    ...examples.map(({ invariant, id, reason }) => `${invariant}  message ${id}: ${reason}`),
    ...(violations > examples.length ? [`    and ${formatCount(violations - examples.length)} more`] : []),
  ]);
  return `${output.colors.bold('Violations')}\n${output.colors.yellow(lines.join('\n'))}`;
}
