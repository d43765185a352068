import type { ReceiverProcess } from '../../deploy/demo/receiver-process';
import { systemClock } from '../../topology/core/clock';
import type { BenchTable } from './bench-table';
import { type Figures, figuresOf } from './figures';
import { UsageMeter, type Watched } from './process-usage';
import { type BenchRow, rowsOf, type Workload } from './workload';

/** What a measurement needs of the system under test. */
export interface Subject {
  readonly table: BenchTable;
  readonly receiver: ReceiverProcess;
  readonly watched: () => readonly Watched[];
}

/** Rows per second that any machine inserts; a burst is due when that has passed, and the time in which all of it is known. */
const INSERT_RATE = 8_000;
const KNOWN_AHEAD = 4_000;
/** How long after its due time a message may take before it counts as lost, milliseconds. */
const PATIENCE = 60_000;

/** Everything due at one instant. */
export async function burst(subject: Subject, work: Workload): Promise<Figures> {
  await subject.receiver.reset();
  const dueAt = systemClock.now() + KNOWN_AHEAD + Math.ceil((work.count / INSERT_RATE) * 1_000);
  const rows = rowsOf(work, 0, work.count, () => dueAt);
  const meter = new UsageMeter(subject.watched());
  const above = await subject.table.lastId();
  await subject.table.insert(rows);
  const ahead = dueAt - systemClock.now();
  if (ahead < KNOWN_AHEAD / 2) throw new Error(`the burst was written only ${ahead} ms before it was due`);
  return judged(subject, work, dueAt, dueAt, above, meter);
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
): Promise<Figures> {
  await systemClock.sleep(lastDue - systemClock.now());
  while ((await receiver.accepted()) < work.count && systemClock.now() < lastDue + PATIENCE) {
    await systemClock.sleep(100);
  }
  const states = await table.ended(above, PATIENCE / 4);
  const usage = meter.read();
  return { ...figuresOf(work, firstDue, await receiver.report(), usage), states };
}
