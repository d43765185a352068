import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { ReceiverProcess } from '../../deploy/demo/receiver-process';
import { systemClock } from '../../topology/core/clock';
import { type Figures, figuresOf } from './figures';
import { UsageMeter, type Watched } from './process-usage';
import type { BurstProfiler } from './profile';
import type { SenderJob } from './sender';
import type { Workload } from './workload';

/** Time for the senders to make their rows, milliseconds. */
const PREPARATION = 1_500;

/**
 * Bare HTTP: the channel without the topology, the same number of processes, rows from memory. The ceiling of everything
 * else in the same run.
 */
export class BareSenders {
  private constructor(private readonly children: readonly ChildProcess[]) {}

  static async start(processes: number): Promise<BareSenders> {
    const children = Array.from({ length: processes }, () => fork(join(__dirname, 'sender.js')));
    await Promise.all(children.map((child) => once(child, 'spawn')));
    return new BareSenders(children);
  }

  /** Every process of the measurement. */
  watched(receiver: ReceiverProcess): Watched[] {
    return [
      ...this.children.map((child, n) => ({ name: `sender-${n + 1}`, pid: child.pid as number })),
      { name: 'receiver', pid: receiver.pid },
    ];
  }

  /** @param profiler marks the drain */
  async burst(
    receiver: ReceiverProcess,
    work: Workload,
    inFlight: number,
    timeout: number,
    profiler?: BurstProfiler,
  ): Promise<Figures> {
    await receiver.reset();
    const dueAt = systemClock.now() + PREPARATION;
    const share = Math.ceil(work.count / this.children.length);
    const meter = new UsageMeter(this.watched(receiver));
    const sent = Promise.all(
      this.children.map(async (child, n) => {
        const from = Math.min(work.count, n * share);
        const job: SenderJob = { work, from, to: Math.min(work.count, from + share), dueAt, inFlight, timeout };
        child.send(job);
        const [answer] = (await once(child, 'message')) as [{ done: boolean; reason?: string }];
        if (!answer.done) throw new Error(answer.reason);
      }),
    );
    await Promise.race([sent, systemClock.sleep(dueAt - systemClock.now())]);
    profiler?.drainBegins();
    await sent;
    profiler?.drainEnds();
    return figuresOf(work, dueAt, await receiver.report(), meter.read());
  }

  async stop(): Promise<void> {
    await Promise.all(
      this.children.map(async (child) => {
        if (child.exitCode !== null) return;
        child.disconnect();
        await once(child, 'exit');
      }),
    );
  }
}
