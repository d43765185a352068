/** A signal that asks a process to end: an interrupt, a polite end, and a terminal that was closed. */
type EndingSignal = 'SIGINT' | 'SIGTERM' | 'SIGHUP';

let cameAlready = false;

/**
 * Listens for signals that ask this process to end; with `once` each is heard once, and its next one ends the process at once. All
 * of the package listens here, so that {@link askedToEnd} is true.
 * @returns stops listening
 */
export function listenForEnd<S extends EndingSignal>(
  how: 'on' | 'once',
  signals: readonly S[],
  listener: (signal: S) => void,
): () => void {
  const heard = (signal: S) => {
    cameAlready = true;
    listener(signal);
  };
  for (const signal of signals) process[how](signal, heard as NodeJS.SignalsListener);
  return () => {
    for (const signal of signals) process.off(signal, heard as NodeJS.SignalsListener);
  };
}

/** Whether a signal was heard that asks this process to end. */
export function askedToEnd(): boolean {
  return cameAlready;
}
