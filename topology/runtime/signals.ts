const ENDING_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** A signal that asks a process to end: an interrupt, a polite end, and a terminal or connection that was closed. */
export type EndingSignal = (typeof ENDING_SIGNALS)[number];

let cameAlready = false;

/**
 * Listens for signals that ask this process to end; with `once` SIGINT and SIGTERM are heard once each, and the next one of the kind
 * ends the process at once. SIGHUP never counts as a second signal, because a terminal that closes sends it twice or after another
 * one: it is heard where it comes first, and never ends the process by itself. All of the package listens here, so that
 * {@link askedToEnd} is true.
 * @returns stops listening
 */
export function listenForEnd(how: 'on' | 'once', listener: (signal: EndingSignal) => void): () => void {
  let isFirst = true;
  const heard = (signal: EndingSignal) => {
    cameAlready = true;
    if (isFirst || signal !== 'SIGHUP') listener(signal);
    isFirst = false;
  };
  for (const signal of ENDING_SIGNALS) process[signal === 'SIGHUP' ? 'on' : how](signal, heard);
  return () => {
    for (const signal of ENDING_SIGNALS) process.off(signal, heard);
  };
}

/** Whether a signal was heard that asks this process to end. */
export function askedToEnd(): boolean {
  return cameAlready;
}
