import type { Column, Output } from '../../deploy/console/output';
import { componentOf } from './process-usage';
import type { DrainProfile, ProcessProfile } from './profile';

/** Causes that cost less in every process are summed up. Microseconds per message. */
const MIN_MICROS = 0.5;

interface Row {
  readonly cause: string;
  /** Microseconds per message, by component. */
  readonly of: ReadonlyMap<string, number>;
}

/** Lines and a table: causes by component, in microseconds of CPU time per message. */
export function profileTable(output: Output, title: string, profile: DrainProfile): string {
  const { seconds, processes, overhead } = profile;
  const own = processes.filter(({ file }) => file !== undefined);
  const components = [...new Set(own.map(({ name }) => componentOf(name)))];
  const rows = [...causeRows(own), otherThreads(own), total(own)];
  const table = output.table([{ title, value: ({ cause }) => cause }, ...components.map(column)], rows);
  const parts = processes.filter(({ file }) => file === undefined);
  const others = parts.map(({ name, microsPerMessage }) => `${name} ${microsPerMessage.toFixed(1)}`).join(', ');
  const idle = own.map(({ name, idle: share = 0 }) => `${name} ${Math.round(share * 100)} %`).join(', ');
  return [
    `CPU time within the drain (${seconds.toFixed(2)} s from the due time to the last arrival), µs per message; all workers of a component together`,
    table,
    `${others === '' ? '' : `µs per message of the other parts: ${others}\n`}idle samples: ${idle}\n` +
      `with the profiler these processes took ${overhead.toFixed(2)} times the CPU time of the reported round`,
  ].join('\n');
}

function column(component: string): Column<Row> {
  return { title: component, align: 'right', value: ({ of }) => of.get(component)?.toFixed(1) ?? '' };
}

/** Sums of a figure over the processes of each component. */
function byComponent(own: readonly ProcessProfile[], figure: (one: ProcessProfile) => number): Map<string, number> {
  const sums = new Map<string, number>();
  for (const one of own) {
    const component = componentOf(one.name);
    sums.set(component, (sums.get(component) ?? 0) + figure(one));
  }
  return sums;
}

function causeRows(own: readonly ProcessProfile[]): Row[] {
  const causes = [...new Set(own.flatMap((one) => Object.keys(one.causes)))];
  const rows = causes.map((cause) => ({ cause, of: byComponent(own, (one) => one.causes[cause] ?? 0) }));
  const most = ({ of }: Row) => Math.max(...of.values());
  const shown = rows.filter((row) => most(row) >= MIN_MICROS).toSorted((a, b) => most(b) - most(a));
  const names = new Set(shown.map(({ cause }) => cause));
  const small = (one: ProcessProfile) =>
    Object.entries(one.causes).reduce((sum, [cause, micros]) => (names.has(cause) ? sum : sum + micros), 0);
  return [...shown, { cause: `causes below ${MIN_MICROS} µs each`, of: byComponent(own, small) }];
}

function mainThread({ causes }: ProcessProfile): number {
  return Object.values(causes).reduce((sum, micros) => sum + micros, 0);
}

function otherThreads(own: readonly ProcessProfile[]): Row {
  const of = byComponent(own, (one) => Math.max(0, one.microsPerMessage - mainThread(one)));
  return { cause: "other threads: V8's collector, compiler and profiler", of };
}

function total(own: readonly ProcessProfile[]): Row {
  return { cause: 'all', of: byComponent(own, ({ microsPerMessage }) => microsPerMessage) };
}
