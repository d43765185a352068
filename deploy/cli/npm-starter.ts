import { inBackground, type Timer } from '../../topology/core/clock';
import { askedToEnd } from '../../topology/runtime/signals';
import { isStartedByNpm } from '../../topology/settings/environment';

/** How often the parent is looked at, milliseconds. */
const LOOK_EVERY_MS = 250;

export interface Starter {
  readonly isNpm: boolean;
  /** The id of the process that is the parent now; another one takes its place when it has gone. */
  readonly parent: () => number;
  /** A signal has come that asks this process to end. */
  readonly isAsked: () => boolean;
  readonly end: () => void;
  /** Calls `look` again and again. */
  readonly every: (intervalMs: number, look: () => void) => Timer;
}

const own: Starter = {
  isNpm: isStartedByNpm(),
  parent: () => process.ppid,
  isAsked: askedToEnd,
  end: () => process.kill(process.pid, 'SIGTERM'),
  every: inBackground,
};

/**
 * Ends this process in good order when npm or npx, which started it, was ended: npm passes a signal to the shell between the two
 * of them, and some shells end without passing it on. A process that was asked to end already is left alone, because a second
 * signal would end it at once.
 */
export function endWithNpm({ isNpm, parent, isAsked, end, every }: Starter = own): void {
  if (!isNpm) return;
  const starter = parent();
  const looking = every(LOOK_EVERY_MS, () => {
    if (parent() === starter) return;
    looking.cancel();
    if (!isAsked()) end();
  });
}
