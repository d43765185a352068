import { closeSync, copyFileSync, openSync, readSync, renameSync, rmSync, truncateSync } from 'node:fs';
import { sizeOf } from '../../stack/host/part-log';

/** Where a detached supervisor writes, in the folder of its workers' logs. */
export const SUPERVISOR_LOG = 'supervisor.log';
const MAX_LOG_BYTES = 10 * 1024 * 1024;
/** `webhook-1.log.1` is the youngest. */
const KEPT_LOGS = 5;
const LAST_WORDS_BYTES = 16 * 1024;
const LAST_WORDS_CHARACTERS = 300;
/** pino's numbers for `error` and `fatal`. */
const ERROR_LEVEL = 50;

/**
 * Makes room in a log that a process has open for appending. The process knows nothing of it, so its file stays the same one:
 * what is in it is copied, and then it is emptied. Node cannot do both at once; a line that is written between the two, within
 * some microseconds, is lost.
 * @returns whether it was rotated
 */
export function rotateLog(path: string, maxBytes: number = MAX_LOG_BYTES): boolean {
  if (sizeOf(path) <= maxBytes) return false;
  rmSync(`${path}.${KEPT_LOGS}`, { force: true });
  for (let n = KEPT_LOGS - 1; n >= 1; n--) {
    if (sizeOf(`${path}.${n}`) > 0) renameSync(`${path}.${n}`, `${path}.${n + 1}`);
  }
  copyFileSync(path, `${path}.1`);
  truncateSync(path);
  return true;
}

/** What a process said last in its log after byte `from`: its last error if it names one, else its last line. */
export function lastWords(path: string, from: number): string | null {
  const lines = endOf(path, from)
    .split('\n')
    .filter((line) => line.trim() !== '');
  const entries = lines.map(messageOf);
  const error = entries.findLast(({ level }) => level >= ERROR_LEVEL) ?? entries.at(-1);
  return error?.text.slice(0, LAST_WORDS_CHARACTERS) ?? null;
}

function messageOf(line: string): { readonly text: string; readonly level: number } {
  try {
    const { msg, level } = JSON.parse(line) as { msg?: unknown; level?: unknown };
    if (typeof msg === 'string' && typeof level === 'number') return { text: msg, level };
  } catch {
    // Not a line of the worker's log: Node itself says why it ended, for example.
  }
  return { text: line.trim(), level: 0 };
}

function endOf(path: string, from: number): string {
  const size = sizeOf(path);
  // It was emptied meanwhile.
  const first = from > size ? 0 : from;
  const length = Math.min(LAST_WORDS_BYTES, size - first);
  if (length === 0) return '';
  const file = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(length);
    readSync(file, bytes, 0, length, size - length);
    return bytes.toString('utf8');
  } finally {
    closeSync(file);
  }
}
