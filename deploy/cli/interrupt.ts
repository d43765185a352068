import { constants } from 'node:os';
import { type EndingSignal, listenForEnd } from '../../topology/runtime/signals';
import type { Output } from '../console/output';

/** A signal ended a verb before it was done. Its exit code is 128 and the signal's number: 129, 130 or 143. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';

  constructor(readonly signal: EndingSignal) {
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
 * Runs a long verb. A first SIGINT, SIGTERM or SIGHUP is told to `work`, which stops at the next place where nothing is
 * half done; a second SIGINT or SIGTERM ends the process at once.
 * @throws what `work` throws
 */
export async function interruptible<T>(output: Output, work: (interrupt: Interrupt) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const onSignal = (signal: EndingSignal) => {
    if (controller.signal.aborted) return;
    output.note('Ending in good order; a second signal ends it at once.');
    controller.abort(new Interrupted(signal));
  };
  const stop = listenForEnd('once', onSignal);
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
  const onSignal = (signal: EndingSignal) => {
    if (process.listenerCount(signal) === 0) output.note('Ending when this is done; a second signal ends it at once.');
  };
  const stop = listenForEnd('once', onSignal);
  try {
    return await work();
  } finally {
    stop();
  }
}
