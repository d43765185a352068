import { Output } from '../../deploy/console/output';
import { formatCount } from '../../deploy/console/units';
import { machine } from './report';
import type { TableFigure, TableReport } from './table';

/** Every time that it was measured, it took no longer than it may, and did what it should. */
export function keepsBound({ ms, mostMs, note }: TableFigure): boolean {
  return mostMs === null || (note === '' && ms.every((one) => one <= mostMs));
}

/** Prints the figures. @returns whether every bound was kept */
export function printTable(report: TableReport, json: boolean): boolean {
  const output = new Output({ json });
  output.data({ machine: machine(), ...report }, () => {
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
    return `${table}\n\nspout, peak memory: ${empty} beside an empty table, ${full} beside the full one; ${formatCount(report.insertedPerSecond)} rows/s were inserted meanwhile`;
  });
  return report.figures.every(keepsBound);
}

function milliseconds(ms: number): string {
  return ms < 10 ? ms.toFixed(1) : formatCount(ms);
}

function number(title: string, value: (one: TableFigure) => string) {
  return { title, align: 'right' as const, value };
}
