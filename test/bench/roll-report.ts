import { Output } from '../../deploy/console/output';
import { formatCount, formatDuration } from '../../deploy/console/units';
import type { Figures } from './figures';
import { machine } from './report';
import type { RollReport } from './roll';

/** How much later the 99th percentile of a steady stream may be beside a roll, by the medians, milliseconds. */
const STEADY_MS = 250;
/** How many times later that of a burst may be, by the medians. */
const BURST_FACTOR = 1.3;

interface Row {
  readonly name: string;
  readonly rounds: readonly Figures[];
}

/** @returns what does not hold, one line each */
export function missedOf({ steady, bursts }: RollReport): string[] {
  const all = [...steady.without, ...steady.with, ...bursts.without, ...bursts.with];
  const sum = (value: (figures: Figures) => number) => all.reduce((total, one) => total + value(one), 0);
  const counts = {
    lost: sum(({ lost }) => lost),
    twice: sum((one) => one.duplicates),
    early: sum(({ early }) => early),
  };
  const later = middle(steady.with) - middle(steady.without);
  const factor = middle(bursts.with) / middle(bursts.without);
  return [
    ...Object.entries(counts).flatMap(([what, count]) => (count === 0 ? [] : [`${count} messages ${what}`])),
    ...(later <= STEADY_MS ? [] : [`the steady stream's p99 is ${Math.round(later)} ms later, over ${STEADY_MS} ms`]),
    ...(factor <= BURST_FACTOR ? [] : [`the bursts' p99 is ${factor.toFixed(2)} times as late, over ${BURST_FACTOR}`]),
  ];
}

/** Prints the figures. @returns whether everything holds */
export function printRoll(report: RollReport, json: boolean): boolean {
  const output = new Output({ json });
  const missed = missedOf(report);
  const { steady, bursts, rollsMs, rate } = report;
  const rows: Row[] = [
    { name: 'burst', rounds: bursts.without },
    { name: 'burst during a roll', rounds: bursts.with },
    { name: `${rate}/s`, rounds: steady.without },
    { name: `${rate}/s during a roll`, rounds: steady.with },
  ];
  const number = (title: string, value: (row: Row) => string) => ({ title, align: 'right' as const, value });
  const total = (row: Row, value: (figures: Figures) => number) =>
    formatCount(row.rounds.reduce((sum, one) => sum + value(one), 0));
  output.data({ machine: machine(), ...report, missed }, () =>
    [
      output.table(
        [
          { title: 'measurement', value: ({ name }) => name },
          number('rounds', ({ rounds }) => String(rounds.length)),
          number('messages', ({ rounds }) => formatCount(rounds[0]?.messages ?? 0)),
          number('p99 ms (median)', ({ rounds }) => formatCount(middle(rounds))),
          number('of each round', ({ rounds }) => rounds.map((one) => Math.round(p99(one))).join(' ')),
          number('early', (row) => total(row, ({ early }) => early)),
          number('twice', (row) => total(row, ({ duplicates }) => duplicates)),
          number('lost', (row) => total(row, ({ lost }) => lost)),
        ],
        rows,
      ),
      '',
      `A roll replaced every worker in ${rollsMs.map(formatDuration).join(', ')}.`,
      missed.length === 0 ? 'Holds.' : `Does not hold: ${missed.join('; ')}.`,
    ].join('\n'),
  );
  return missed.length === 0;
}

function p99({ lateness }: Figures): number {
  return lateness?.p99 ?? Number.POSITIVE_INFINITY;
}

/** The one in the middle by its 99th percentile, or the later of the two middle ones. */
function middle(rounds: readonly Figures[]): number {
  const sorted = rounds.map(p99).toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.POSITIVE_INFINITY;
}
