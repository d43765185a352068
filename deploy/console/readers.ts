import type { EventEmitter } from 'node:events';

/** What a pipe, a terminal and a socket answer when nobody reads them any more. */
const NOBODY_READS: ReadonlySet<string | undefined> = new Set(['EPIPE', 'EIO', 'ECONNRESET']);

/** One listener is enough, however many commands a process runs. */
const outlived = new WeakSet<EventEmitter>();

/**
 * Lets a command end what it is at, and record it, when what it prints can no longer be printed. A reader that has left, as in
 * `downspout messages list | head` and where a connection was lost, is no error. Progress and errors that cannot be shown are
 * given up whatever the reason, because nobody could be told of it; data that cannot be written for another reason makes the exit
 * code 1.
 */
export function outliveReaders(out: EventEmitter, err: EventEmitter & { write: (text: string) => unknown }): void {
  if (outlived.has(out)) return;
  outlived.add(out);
  err.on('error', () => undefined);
  let isTold = false;
  out.on('error', (error: NodeJS.ErrnoException) => {
    if (NOBODY_READS.has(error.code) || isTold) return;
    isTold = true;
    process.exitCode = 1;
    err.write(`error: what was asked for could not be written to standard output: ${error.message}\n`);
  });
}
