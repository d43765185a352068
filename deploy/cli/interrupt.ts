import { constants } from 'node:os';
import { listenForEnd } from '../../topology/runtime/signals';
import type { Output } from '../console/output';

type Signal = 'SIGINT' | 'SIGTERM';

/** A signal ended a verb before it was done. Its exit code is 128 and the signal's number: 130 or 143. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';

  constructor(readonly signal: Signal) {
    super(`Interrupted by ${signal}.`);
  }

  get exitCode(): number {
    return 128 + constants.signals[this.signal];
  }
}

/** Says whether a signal has come. */
export interface Interrupt {
  readonly signal: AbortSignal;
  /** For the places at which a long verb may stop. @throws Interrupted */
  readonly check: () => void;
}

/**
 * Runs a long verb. A first SIGINT or SIGTERM is told to `work`, which stops at the next place where nothing is half done; a
 * second one ends the process at once.
 * @throws what `work` throws
 */
export async function interruptible<T>(output: Output, work: (interrupt: Interrupt) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const onSignal = (signal: Signal) => {
    if (controller.signal.aborted) return;
    output.note('Ending in good order; a second signal ends it at once.');
    controller.abort(new Interrupted(signal));
  };
  const stop = listenForEnd('once', ['SIGINT', 'SIGTERM'], onSignal);
  try {
    return await work({ signal: controller.signal, check: () => controller.signal.throwIfAborted() });
  } finally {
    stop();
  }
}

/**
 * Runs something short that a first signal must not tear apart, such as a change and its record. A second one ends the process.
 * Where others listen to the signal, they decide.
 */
export async function whole<T>(output: Output, work: () => Promise<T>): Promise<T> {
  const onSignal = (signal: Signal) => {
    if (process.listenerCount(signal) === 0) output.note('Ending when this is done; a second signal ends it at once.');
  };
  const stop = listenForEnd('once', ['SIGINT', 'SIGTERM'], onSignal);
  try {
    return await work();
  } finally {
    stop();
  }
}
