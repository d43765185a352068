import { subscribe } from 'node:diagnostics_channel';
import { writeFileSync } from 'node:fs';

/**
 * Loaded into a verb before its program, `NODE_OPTIONS=--require`: when the verb ends, the file of BENCH_ASKED has the
 * milliseconds since it opened its first connection.
 */
function listen(file: string): void {
  let firstAt: number | undefined;
  subscribe('net.client.socket', () => {
    firstAt ??= performance.now();
  });
  process.on('exit', () => {
    if (firstAt !== undefined) writeFileSync(file, String(performance.now() - firstAt));
  });
}

const file = process.env['BENCH_ASKED'];
if (file !== undefined) listen(file);
