import { cpus, totalmem } from 'node:os';
import { Output } from '../../deploy/console/output';
import { formatCount } from '../../deploy/console/units';
import type { Figures } from './figures';
import type { Usage } from './process-usage';
import type { DrainProfile } from './profile';
import { profileTable } from './profile-report';

/** One measurement of a run. */
export interface Measurement extends Figures {
  /** `bare HTTP`, `burst`, `first burst`, `steady`. */
  readonly name: string;
  /** Milliseconds; null where there is none to switch. */
  readonly claimAhead: number | null;
  /** What was in the table besides. */
  readonly besides: string;
  /** The rate as a share of bare HTTP's with the same payload in the same run; null for a steady stream. */
  readonly ratio: number | null;
  /** Rates of all rounds; this one is the one in the middle. */
  readonly rounds: readonly number[];
  /** Of one more round. */
  readonly profile?: DrainProfile;
}

/** The time from the start of new spouts to the first message, with overdue messages waiting. */
export interface Restart {
  readonly firstEmitMs: number;
  readonly futureRows: number;
  readonly usage: readonly Usage[];
}

export interface Report {
  readonly machine: {
    readonly cores: number;
    readonly model: string;
    readonly memoryBytes: number;
    readonly node: string;
  };
  readonly measurements: readonly Measurement[];
  readonly restart: Restart | null;
  /** Workers that ended by themselves. */
  readonly deaths: number;
}

export function machine(): Report['machine'] {
  const cores = cpus();
  return {
    cores: cores.length,
    model: cores[0]?.model ?? 'unknown',
    memoryBytes: totalmem(),
    node: process.version,
  };
}

/** True when nothing was lost, early or sent twice, and no worker died. */
export function holds({ measurements, deaths }: Report): boolean {
  return (
    deaths === 0 && measurements.every(({ early, duplicates, lost }) => early === 0 && duplicates === 0 && lost === 0)
  );
}

export function print(report: Report, json: boolean): void {
  const output = new Output({ json });
  output.data(report, () =>
    [
      machineLine(report),
      figuresTable(output, report),
      usageTable(output, report),
      ...report.measurements.flatMap((one) =>
        one.profile === undefined ? [] : [profileTable(output, label(one), one.profile)],
      ),
    ].join('\n\n'),
  );
}

function machineLine({ machine: { cores, model, memoryBytes, node }, deaths }: Report): string {
  const died = deaths === 0 ? '' : `\n${deaths} workers died during the run: see their logs before the figures`;
  return `${cores} cores (${model}), ${(memoryBytes / 1024 ** 3).toFixed(1)} GiB, Node ${node}; everything on this one machine${died}`;
}

function figuresTable(output: Output, { measurements, restart }: Report): string {
  const late = (pick: 'p50' | 'p90' | 'p99' | 'max') => ({
    title: `${pick} ms`,
    align: 'right' as const,
    value: ({ lateness }: Measurement) => (lateness === null ? '–' : formatCount(lateness[pick])),
  });
  const number = (title: string, value: (one: Measurement) => string) => ({ title, align: 'right' as const, value });
  const table = output.table<Measurement>(
    [
      { title: 'measurement', value: ({ name }) => name },
      number('messages', ({ messages }) => formatCount(messages)),
      number('payload', ({ payloadBytes }) => `${payloadBytes} B`),
      number('claim-ahead', ({ claimAhead }) => (claimAhead === null ? '–' : claimAhead === 0 ? 'off' : 'on')),
      { title: 'besides', value: ({ besides }) => besides },
      number('rate/s', ({ rate }) => formatCount(rate)),
      number('÷ bare', ({ ratio }) => (ratio === null ? '–' : ratio.toFixed(2))),
      late('p50'),
      late('p90'),
      late('p99'),
      late('max'),
      number('early', ({ early }) => formatCount(early)),
      number('twice', ({ duplicates }) => formatCount(duplicates)),
      number('lost', ({ lost }) => formatCount(lost)),
    ],
    measurements,
  );
  if (restart === null) return table;
  const peaks = restart.usage.map(({ name, peakBytes }) => `${name} ${megabytes(peakBytes)}`).join(', ');
  return `${table}\n\nspouts started again beside ${formatCount(restart.futureRows)} future rows: first message after ${formatCount(restart.firstEmitMs)} ms; peak memory ${peaks}`;
}

function usageTable(output: Output, { measurements }: Report): string {
  const names = [...new Set(measurements.flatMap(({ usage }) => usage.map(({ name }) => name)))];
  const table = output.table(
    [
      { title: 'measurement', value: (one: Measurement) => label(one) },
      ...names.map((name) => ({
        title: name,
        align: 'right' as const,
        value: ({ usage }: Measurement) => cell(usage, name),
      })),
    ],
    measurements,
  );
  return `CPU time of the whole measurement, writing the rows included, and peak memory so far\n${table}`;
}

function cell(usage: readonly Usage[], name: string): string {
  const found = usage.find((one) => one.name === name);
  return found === undefined ? '' : `${found.cpuSeconds.toFixed(2)} s ${megabytes(found.peakBytes)}`;
}

function label({ name, payloadBytes, claimAhead, besides }: Measurement): string {
  const ahead = claimAhead === null ? '' : claimAhead === 0 ? ' off' : ' on';
  return `${name} ${payloadBytes} B${ahead}${besides === '' ? '' : ` ${besides}`}`;
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1024 ** 2)} MiB`;
}
