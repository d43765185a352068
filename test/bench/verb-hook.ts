import { subscribe } from 'node:diagnostics_channel';
import { writeFileSync } from 'node:fs';
import { systemClock } from '../../topology/core/clock';

/**
 * Loaded into a verb before its program, `NODE_OPTIONS=--require`: when the verb ends, the file of BENCH_ASKED has the
 * milliseconds since it opened its first connection.
 */
function listen(file: string): void {
  let firstAt: number | undefined;
  subscribe('net.client.socket', () => {
    firstAt ??= systemClock.monotonic();
  });
  process.on('exit', () => {
    if (firstAt !== undefined) writeFileSync(file, String(systemClock.monotonic() - firstAt));
  });
}

const file = process.env['BENCH_ASKED'];
if (file !== undefined) listen(file);
