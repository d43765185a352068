import { Writable } from 'node:stream';
import { createLog, type Log } from '../../../topology/runtime/log';

/** A log whose lines can be looked at. */
export function memorySink(level = 'trace', pretty = false): { log: Log; lines: string[]; entries: () => Entry[] } {
  const lines: string[] = [];
  const destination = new Writable({
    write(chunk, _, done) {
      lines.push(String(chunk));
      done();
    },
  });
  const log = createLog({ level, pretty, destination });
  return { log, lines, entries: () => lines.map((line) => JSON.parse(line) as Entry) };
}

type Entry = Record<string, unknown> & { readonly level: number; readonly msg: string };
