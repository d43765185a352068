import { type Column, Output } from '../../deploy/console/output';
import { formatCount } from '../../deploy/console/units';
import type { CapacityReport } from './capacity';
import {
  BUSY_SHARE,
  type Cost,
  type CostLines,
  type Costs,
  LOGS,
  needOf,
  PARTS,
  PHASES,
  type Phase,
} from './capacity-model';
import { machine } from './report';

/** What the model is asked as an example. */
const MESSAGES = 1_000_000;
const SECONDS = 60;
const TITLES: Readonly<Record<Cost, string>> = {
  mysql: 'MySQL',
  connect: 'Connect',
  kafka: 'Kafka',
  spouts: 'spouts',
  bolts: 'bolts',
  binlog: 'binlog',
  streams: 'streams',
};

interface CostRow {
  readonly phase: Phase;
  readonly what: string;
  readonly cell: (cost: Cost) => string;
}

interface Need {
  readonly payloadBytes: number;
  readonly what: string;
  readonly need: Costs;
}

/** Prints the points, the lines through them, and the example. @returns whether the run holds */
export function printCapacity(report: CapacityReport, json: boolean): boolean {
  const output = new Output({ json });
  output.data({ machine: machine(), ...report, needs: needsOf(report) }, () => capacityText(output, report));
  return holds(report);
}

/** Nothing was lost, early or sent twice, and no worker died. */
export function holds({ early, duplicates, lost, deaths }: CapacityReport): boolean {
  return early + duplicates + lost + deaths === 0;
}

export function capacityText(output: Output, report: CapacityReport): string {
  const { cores, model, node } = machine();
  const { early, duplicates, lost, deaths } = report;
  const rest = PARTS.map((part) => `${TITLES[part]} ${(report.atRest[part] / 1e6).toFixed(3)}`).join(', ');
  return [
    `${cores} cores (${model}), Node ${node}; everything on this one machine`,
    `What a message costs: µs of CPU time, and bytes of logs\n${costsTable(output, report)}`,
    `At rest, cores: ${rest}`,
    `Highest memory of one process so far, MiB\n${peaksTable(output, report)}`,
    `${formatCount(MESSAGES)} messages in ${SECONDS} s by these lines: cores that are ${BUSY_SHARE * 100} % busy, MB/s of logs\n${needsTable(output, needsOf(report))}`,
    holds(report)
      ? 'Holds: nothing early, twice or lost.'
      : `Does not hold: ${early} early, ${duplicates} twice, ${lost} lost; workers that died: ${deaths}.`,
  ].join('\n\n');
}

/** The example for each payload: what sending takes, and writing as many in the same time. */
export function needsOf({ points, lines }: CapacityReport): Need[] {
  const payloads = [...new Set(points.map(({ payloadBytes }) => payloadBytes))];
  return payloads.flatMap((payloadBytes) => {
    const crowd = { messages: MESSAGES, seconds: SECONDS, payloadBytes };
    return [
      { payloadBytes, what: 'read and sent', need: needOf([lines.read, lines.sent], crowd) },
      { payloadBytes, what: 'written', need: needOf([lines.written], crowd) },
    ];
  });
}

function costsTable(output: Output, { points, lines }: CapacityReport): string {
  const rows = PHASES.flatMap((phase): CostRow[] => [
    ...points
      .filter((point) => point.phase === phase)
      .map(({ payloadBytes, messages, costs }) => ({
        phase,
        what: `${payloadBytes} B × ${formatCount(messages)}`,
        cell: (cost: Cost) => figure(costs[cost]),
      })),
    { phase, what: 'line', cell: (cost) => lineText(lines[phase], cost) },
    { phase, what: 'furthest', cell: (cost) => `${Math.round(lines[phase][cost].furthest * 100)} %` },
  ]);
  return output.table(
    [
      { title: 'phase', value: ({ phase }) => phase },
      { title: '', value: ({ what }) => what },
      ...[...PARTS, ...LOGS].map((cost) => right<CostRow>(TITLES[cost], ({ cell }) => cell(cost))),
    ],
    rows,
  );
}

function peaksTable(output: Output, { peaks }: CapacityReport): string {
  return output.table(
    [
      right<CapacityReport['peaks'][number]>('payload', ({ payloadBytes }) => `${payloadBytes} B`),
      ...PARTS.map((part) =>
        right<CapacityReport['peaks'][number]>(TITLES[part], ({ bytes }) =>
          formatCount((bytes[part] ?? 0) / 1024 ** 2),
        ),
      ),
    ],
    peaks,
  );
}

function needsTable(output: Output, needs: readonly Need[]): string {
  return output.table(
    [
      right<Need>('payload', ({ payloadBytes }) => `${payloadBytes} B`),
      { title: '', value: ({ what }) => what },
      ...PARTS.map((part) => right<Need>(TITLES[part], ({ need }) => need[part].toFixed(1))),
      ...LOGS.map((log) => right<Need>(TITLES[log], ({ need }) => (need[log] / 1e6).toFixed(1))),
    ],
    needs,
  );
}

/** `112 + 8.1/kB` */
function lineText(lines: CostLines, cost: Cost): string {
  const { base, perKb } = lines[cost];
  return `${figure(base)} + ${figure(perKb)}/kB`;
}

function figure(value: number): string {
  return value < 10 ? value.toFixed(1) : formatCount(value);
}

function right<Row>(title: string, value: (row: Row) => string): Column<Row> {
  return { title, align: 'right', value };
}
