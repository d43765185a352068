// Runs every test: `npm test`. What follows `--` is Jest's, for example `npm test -- -t 'never early'`.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';

const jest = createRequire(import.meta.url).resolve('jest/bin/jest');
/** The faults take both processors for themselves: beside them a burst takes longer than a receiver is waited for. */
const runs = [
  ['--selectProjects', 'alone', 'stack'],
  ['--selectProjects', 'faults', '--maxWorkers', '1'],
];

for (const run of runs) {
  const { status } = spawnSync(process.execPath, [jest, ...run, ...process.argv.slice(2)], { stdio: 'inherit' });
  if (status !== 0) process.exitCode = 1;
}
