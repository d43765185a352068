import { readFileSync, statSync } from 'node:fs';

const SHOWN_LINES = 15;

/** Bytes in a file; 0 when there is none. */
export function sizeOf(path: string): number {
  try {
    return statSync(path).size;
  } catch {
    return 0;
  }
}

/** The last lines that were written to a log after byte `from`, without the frames of stack traces. */
export function endOfLog(path: string, from: number): string {
  let text = '';
  try {
    text = readFileSync(path).subarray(from).toString('utf8');
  } catch {
    // No log: it never got so far.
  }
  const lines = text
    .trimEnd()
    .split('\n')
    .filter((line) => !/^\s+(at |\.\.\. \d+ more)/.test(line))
    .slice(-SHOWN_LINES);
  return lines.map((line) => `  | ${line}`).join('\n');
}

/** What helps against the usual reasons for not starting. */
export function whatToDo(log: string, part: string, port: number): string {
  if (/address already in use|BindException|Do you already have another mysqld/i.test(log)) {
    return `Port ${port} is taken. Set ${part.toUpperCase().replace('-', '_')}_PORT to a free one and run \`downspout up\` again.`;
  }
  if (/no space left|disk full/i.test(log)) return 'The disk is full. Make room and run `downspout up` again.';
  if (/OutOfMemory|cannot allocate memory|insufficient memory/i.test(log)) {
    return 'There is not enough memory: the stack needs about 1.5 GB. End something else and run `downspout up` again.';
  }
  if (/corrupt|damaged|ClassNotFound|NoClassDefFound|ZipException|invalid ELF/i.test(log)) {
    return 'Its files seem damaged. `downspout down --wipe` removes the data; removing the cache folder (~/.cache/downspout) makes it fetch the programs again.';
  }
  return 'Run `downspout up` again; when it fails in the same way, `downspout down --wipe` begins with empty data.';
}
