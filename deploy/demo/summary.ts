import type { Column, Output } from '../console/output';
import { formatCount, formatDuration } from '../console/units';
import type { ChannelAfterDue } from './after-due';
import type { DemoVerdict } from './judge';

interface Line {
  readonly what: string;
  readonly count: number;
  /** What the figure must be, or null when any is fine. */
  readonly wanted: number | null;
}

const columns: readonly Column<ChannelAfterDue>[] = [
  { title: 'channel', value: ({ channel }) => channel },
  { title: 'due', value: ({ burst }) => (burst === null ? 'through the day' : `at ${burst}`) },
  { title: 'messages', align: 'right', value: ({ messages }) => formatCount(messages) },
  ...(['p50', 'p99', 'max'] as const).map((name) => ({
    title: name,
    align: 'right' as const,
    value: (row: ChannelAfterDue) => formatDuration(row[name]),
  })),
];

/** The verdict as a table, with examples of what is wrong below it, and how late the messages of each channel were. */
export function summaryText(verdict: DemoVerdict, afterDue: readonly ChannelAfterDue[], output: Output): string {
  const { green, red, dim, bold } = output.colors;
  const lines: Line[] = [
    { what: 'messages scheduled', count: verdict.told, wanted: null },
    { what: 'canceled in time', count: verdict.canceled, wanted: null },
    { what: 'accepted once', count: verdict.acceptedOnce, wanted: verdict.told - verdict.canceled },
    { what: 'sent again after a death or a lost answer', count: verdict.repeatedInDoubt, wanted: null },
    { what: 'lost', count: verdict.lost, wanted: 0 },
    { what: 'accepted twice', count: verdict.duplicates, wanted: 0 },
    { what: 'requests repeated without a doubt', count: verdict.repeatedWithoutDoubt, wanted: 0 },
    { what: 'early', count: verdict.early, wanted: 0 },
    { what: 'sent after an acknowledged cancel', count: verdict.afterCancel, wanted: 0 },
    { what: 'old content after an acknowledged edit', count: verdict.oldContent, wanted: 0 },
    { what: 'out of the order of their account', count: verdict.unordered, wanted: 0 },
    { what: 'never scheduled', count: verdict.strangers, wanted: 0 },
    { what: 'row and receiver disagree', count: verdict.tableDisagrees, wanted: 0 },
  ];
  const judged = ({ count, wanted }: Line) =>
    wanted === null ? '' : count === wanted ? green('ok') : red(`should be ${formatCount(wanted)}`);
  const width = Math.max(...lines.map((line) => line.what.length));
  return [
    bold('What receiver and providers saw, against what the application was told and what the table says (messages):'),
    '',
    ...lines.map((line) =>
      `  ${line.what.padEnd(width)}  ${formatCount(line.count).padStart(6)}  ${judged(line)}`.trimEnd(),
    ),
    '',
    bold('How long after their due time they were accepted:'),
    '',
    afterDue.length === 0 ? dim('  nothing was delivered') : output.table(columns, afterDue),
    '',
    ...verdict.examples.map((example) => red(`  ${example}`)),
    verdict.holds ? green('Everything holds.') : red('Not everything holds.'),
  ].join('\n');
}
