import { Output } from '../../deploy/console/output';
import { formatCount } from '../../deploy/console/units';
import { machine } from './report';
import type { TableFigure, TableReport } from './table';

/** Applications go on inserting while operators look. */
const MIN_INSERTED_PER_SECOND = 3_000;
/** What the peak of a spout differs by from one run to another, beside one and the same table. */
const PEAKS_DIFFER_BYTES = 32 * 1024 ** 2;

/** Every time that it was measured, it took no longer than it may, and did what it should. */
export function keepsBound({ ms, mostMs, note }: TableFigure): boolean {
  return mostMs === null || (note === '' && ms.every((one) => one <= mostMs));
}

/** What else is judged, for people. */
export function missedOf({ insertedPerSecond, spoutPeakBytes: [empty, full] }: TableReport): string[] {
  return [
    ...(insertedPerSecond >= MIN_INSERTED_PER_SECOND
      ? []
      : [`fewer than ${formatCount(MIN_INSERTED_PER_SECOND)} rows/s were inserted meanwhile`]),
    ...(full - empty > PEAKS_DIFFER_BYTES ? ['a spout needs more memory beside the full table'] : []),
  ];
}

/** Prints the figures. @returns whether every bound was kept */
export function printTable(report: TableReport, json: boolean): boolean {
  const output = new Output({ json });
  const missed = missedOf(report);
  output.data({ machine: machine(), ...report, missed }, () => {
    const table = output.table(
      [
        { title: `beside ${formatCount(report.rows)} future rows`, value: ({ name }) => name },
        number('ms', ({ ms }) => ms.map(milliseconds).join('  ')),
        number('at most', ({ mostMs }) => (mostMs === null ? '' : formatCount(mostMs))),
        {
          title: '',
          value: (one) => one.note || (one.mostMs === null ? '' : keepsBound(one) ? 'holds' : 'MISSED'),
        },
      ],
      report.figures,
    );
    const [empty, full] = report.spoutPeakBytes.map((bytes) => `${Math.round(bytes / 1024 ** 2)} MiB`);
    const lines = [
      `spout, peak memory: ${empty} beside an empty table, ${full} beside the full one`,
      `${formatCount(report.insertedPerSecond)} rows/s were inserted meanwhile`,
      `verbs are measured from their first connection to their end: what they take besides, ${formatCount(report.startMs)} ms, is left out`,
      ...missed.map((one) => `MISSED: ${one}`),
    ];
    return `${table}\n\n${lines.join('\n')}`;
  });
  return report.figures.every(keepsBound) && missed.length === 0;
}

function milliseconds(ms: number): string {
  return ms < 10 ? ms.toFixed(1) : formatCount(ms);
}

function number(title: string, value: (one: TableFigure) => string) {
  return { title, align: 'right' as const, value };
}
