import type { ReceiverProcess } from '../../deploy/demo/receiver-process';
import { systemClock } from '../../topology/core/clock';
import type { BenchTable } from './bench-table';
import { type Figures, figuresOf } from './figures';
import { UsageMeter, type Watched } from './process-usage';
import type { BurstProfiler } from './profile';
import { type BenchRow, rowsOf, type Workload } from './workload';

/** What a measurement needs of the system under test. */
export interface Subject {
  readonly table: BenchTable;
  readonly receiver: ReceiverProcess;
  readonly watched: () => readonly Watched[];
}

/** Rows per second that a machine inserts at least; tries with half of it each follow. */
const INSERT_RATE = 8_000;
const TRIES = 4;
/** A burst is due when its rows are written and this has passed, milliseconds. */
const KNOWN_AHEAD = 4_000;
/** How long after its due time a message may take before it counts as lost, milliseconds; and so much more for each of a burst. */
const PATIENCE = 60_000;
const PATIENCE_EACH = 0.25;

/** Everything due at one instant, all of it written well before. @param profiler marks the drain */
export async function burst(subject: Subject, work: Workload, profiler?: BurstProfiler): Promise<Figures> {
  for (let slower = 1; slower < 2 ** TRIES; slower *= 2) {
    await subject.receiver.reset();
    const meter = new UsageMeter(subject.watched());
    const above = await subject.table.lastId();
    const dueAt = systemClock.now() + KNOWN_AHEAD + Math.ceil((work.count / INSERT_RATE) * slower * 1_000);
    await subject.table.insert(rowsOf(work, 0, work.count, () => dueAt));
    const inTime = systemClock.now() < dueAt - KNOWN_AHEAD / 2;
    const result = await judged(subject, work, dueAt, dueAt, above, meter, profiler);
    if (inTime) return result;
  }
  throw new Error(`${work.count} rows cannot be written ahead of time: the machine is too busy`);
}

/** `rate` messages per second for `seconds`, each written some seconds ahead while the ones before are being sent. */
export async function steady(subject: Subject, work: Workload, rate: number): Promise<Figures> {
  await subject.receiver.reset();
  const firstDue = systemClock.now() + KNOWN_AHEAD + 1_000;
  const rows = rowsOf(work, 0, work.count, (n) => firstDue + Math.floor((n * 1_000) / rate));
  const meter = new UsageMeter(subject.watched());
  const above = await subject.table.lastId();
  const perStep = Math.ceil(rate / 10);
  for (let at = 0; at < rows.length; at += perStep) {
    const some = rows.slice(at, at + perStep);
    const writeAt = (some[0] as BenchRow).dueAt - KNOWN_AHEAD;
    await systemClock.sleep(writeAt - systemClock.now());
    await subject.table.insert(some);
  }
  return judged(subject, work, firstDue, (rows.at(-1) as BenchRow).dueAt, above, meter);
}

/** Waits for the receiver first and the table second, so that write-backs are part of what is paid for. */
async function judged(
  { receiver, table }: Subject,
  work: Workload,
  firstDue: number,
  lastDue: number,
  above: number,
  meter: UsageMeter,
  profiler?: BurstProfiler,
): Promise<Figures> {
  await systemClock.sleep(lastDue - systemClock.now());
  profiler?.drainBegins();
  const patience = PATIENCE + work.count * PATIENCE_EACH;
  while ((await receiver.accepted()) < work.count && systemClock.now() < lastDue + patience) {
    await systemClock.sleep(profiler === undefined ? 100 : 20);
  }
  profiler?.drainEnds();
  const states = await table.ended(above, patience);
  const usage = meter.read();
  return { ...figuresOf(work, firstDue, await receiver.report(), usage), states };
}
