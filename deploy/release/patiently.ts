import type { Clock } from '../../topology/core/clock';
import { Unavailable } from '../../topology/core/errors';

export interface Patience {
  readonly clock: Pick<Clock, 'sleep'>;
  /** Ends the patience. */
  readonly signal: AbortSignal;
  readonly report: (text: string) => void;
}

const AGAIN_AFTER_MS = 300;

/**
 * Repeats work while what it needs is away, until the signal aborts: the workers go on meanwhile, and so does a roll afterwards.
 * @param work that may be done twice
 */
export async function patiently<T>({ clock, signal, report }: Patience, work: () => Promise<T>): Promise<T> {
  for (let isFirst = true; ; isFirst = false) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof Unavailable) || signal.aborted) throw error;
      if (isFirst) report(`waiting: ${error.message}`);
    }
    await clock.sleep(AGAIN_AFTER_MS, signal);
  }
}
