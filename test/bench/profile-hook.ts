import { renameSync, writeFileSync } from 'node:fs';
import { Session } from 'node:inspector';
import { join } from 'node:path';

/** Between two samples, microseconds. */
const SAMPLED_EVERY_US = 1_000;

/**
 * Loaded into every process of a profiled run before its program: `NODE_OPTIONS=--require`, because `--cpu-prof` is not allowed
 * there, and would also measure the whole life of the process. Each SIGUSR2 begins a CPU profile or ends it. Files in the folder
 * of BENCH_PROFILES say what was done: `<pid>.listening`, `<pid>.started`, `<pid>.cpuprofile`.
 */
function listen(folder: string): void {
  const session = new Session();
  let isRunning = false;
  const put = (suffix: string, text: string) => {
    const file = join(folder, `${process.pid}.${suffix}`);
    // A reader finds all of it or nothing.
    writeFileSync(`${file}.part`, text);
    renameSync(`${file}.part`, file);
  };
  process.on('SIGUSR2', () => {
    isRunning = !isRunning;
    if (isRunning) {
      session.connect();
      session.post('Profiler.enable');
      session.post('Profiler.setSamplingInterval', { interval: SAMPLED_EVERY_US });
      session.post('Profiler.start', () => put('started', ''));
      return;
    }
    session.post('Profiler.stop', (_, { profile }) => put('cpuprofile', JSON.stringify(profile)));
    session.disconnect();
  });
  put('listening', '');
}

/** V8 has no samples of its JSON functions: their time is that of the caller, unless there is a function between. */
function showJson(): void {
  const { parse, stringify } = JSON;
  JSON.parse = (...given: Parameters<typeof parse>) => parse(...given);
  JSON.stringify = (...given: [never]) => stringify(...given);
}

const folder = process.env['BENCH_PROFILES'];
if (folder !== undefined) {
  showJson();
  listen(folder);
}
