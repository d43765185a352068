import { join } from 'node:path';
import type { Clock } from '../../topology/core/clock';
import { withLock } from './host/lock';
import type { Report } from './stack';

/** Runs `work` while no other process is at work on the stack of this folder, in whichever way it runs; it waits for one that is. */
export function withStackLock<T>(folder: string, clock: Clock, report: Report, work: () => Promise<T>): Promise<T> {
  const waiting = (pid: number) =>
    report({ part: 'stack', stage: 'starting', text: `waiting for process ${pid}, which is at work on this stack` });
  return withLock(join(folder, 'stack.lock'), clock, waiting, work);
}
