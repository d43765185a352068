// Runs every test: `npm test`. What follows `--` is Jest's, for example `npm test -- -t 'never early'`.
// With --trials, the tests of which it runs only a share, whole: `npm run test:trials -- mutations`. A word chooses files by their path.
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const jest = createRequire(import.meta.url).resolve('jest/bin/jest');
/** The faults take both processors for themselves: beside them a burst takes longer than a receiver is waited for. */
const runs = [
  ['--selectProjects', 'alone', 'stack'],
  ['--selectProjects', 'faults', '--maxWorkers', '1'],
];

/** Tests that ask test/support/trials for their share. */
function trials(word) {
  const folder = dirname(fileURLToPath(import.meta.url));
  const files = readdirSync(folder, { encoding: 'utf8', recursive: true })
    .filter((path) => path.endsWith('.test.ts') && `test/${path}`.includes(word))
    .map((path) => join(folder, path))
    .filter((file) => /^import .*\/support\/trials';$/m.test(readFileSync(file, 'utf8')));
  if (files.length === 0) throw new Error(`There are no trials whose path has ${JSON.stringify(word)}.`);
  return files;
}

function argumentsOf([kind, ...rest]) {
  if (kind !== '--trials') {
    process.env['TRIALS_DAY'] ??= String(Math.floor(performance.timeOrigin / 86_400_000));
    console.log(`Of trials, the share of TRIALS_DAY=${process.env['TRIALS_DAY']}; npm run test:trials runs all.`);
    return process.argv.slice(2);
  }
  process.env['TRIALS'] = 'whole';
  const [word, more] = rest[0]?.startsWith('-') === false ? [rest[0], rest.slice(1)] : ['', rest];
  return ['--passWithNoTests', ...more, '--runTestsByPath', ...trials(word)];
}

const args = argumentsOf(process.argv.slice(2));
for (const run of runs) {
  const { status } = spawnSync(process.execPath, [jest, ...run, ...args], { stdio: 'inherit' });
  if (status !== 0) process.exitCode = 1;
}
