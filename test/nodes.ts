import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { formatDuration } from '../deploy/console/units';
import { Cache, cacheFolder } from '../deploy/stack/fetch/cache';
import { run } from '../deploy/stack/host/commands';
import { systemClock } from '../topology/core/clock';
import { reasonOf } from '../topology/core/errors';
import { childEnvironment, readStackVariables } from '../topology/settings/environment';
import { packageRoot } from '../topology/settings/package';

/** Each major version of Node that is supported. */
const MAJORS = [20, 22, 24];

interface Options {
  readonly whole?: boolean;
}

/** Of Jest's own report. */
interface JestReport {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numRuntimeErrorTestSuites: number;
}

async function main(majors: readonly number[], { whole = false }: Options): Promise<void> {
  for (const major of majors.length === 0 ? MAJORS : majors) {
    const node = await executableOf(major);
    const startedAt = systemClock.monotonic();
    const report = await runTests(node, whole);
    const bad = report === null ? 1 : report.numFailedTests + report.numRuntimeErrorTestSuites;
    if (bad > 0) process.exitCode = 1;
    const counts = report === null ? 'the tests wrote no report' : `${report.numPassedTests} passed, ${bad} failed`;
    say(`Node ${major}: ${counts}, in ${formatDuration(systemClock.monotonic() - startedAt)}`);
  }
}

/** This process's own Node where the major version is the same; else one from the package registry, kept in the cache. */
async function executableOf(major: number): Promise<string> {
  if (Number(process.versions.node.split('.')[0]) === major) return process.execPath;
  const name = `node-${process.platform}-${process.arch}`;
  const flags = ['--no-save', '--no-audit', '--no-fund', '--loglevel=error'];
  const folder = await new Cache(cacheFolder(readStackVariables()), systemClock).obtain(
    `node-${major}`,
    async (empty) => {
      await run('npm', ['install', ...flags, '--prefix', empty, `${name}@${major}`]);
    },
    () => say(`Node ${major}: fetching it`),
  );
  return join(folder, 'node_modules', name, 'bin', 'node');
}

/** @returns null when Jest did not get as far as a report */
async function runTests(node: string, whole: boolean): Promise<JestReport | null> {
  const folder = mkdtempSync(join(tmpdir(), 'downspout-nodes-'));
  const file = join(folder, 'report.json');
  const jest = join(packageRoot(), 'node_modules', 'jest', 'bin', 'jest.js');
  const projects = ['--selectProjects', 'alone', ...(whole ? ['stack', 'faults'] : [])];
  try {
    const child = spawn(
      node,
      [jest, ...projects, '--silent', '--reporters=summary', '--json', `--outputFile=${file}`],
      {
        cwd: packageRoot(),
        // Programs that a test starts as `node` are this Node too.
        env: childEnvironment({ PATH: `${dirname(node)}${delimiter}${childEnvironment({})['PATH'] ?? ''}` }),
        stdio: ['ignore', 'ignore', 'inherit'],
      },
    );
    await once(child, 'close');
    return JSON.parse(readFileSync(file, 'utf8')) as JestReport;
  } catch (error) {
    say(reasonOf(error));
    return null;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function parseMajors(text: string, before: readonly number[] = []): readonly number[] {
  if (!MAJORS.map(String).includes(text)) throw new InvalidArgumentError(`Expected ${MAJORS.join(', ')}.`);
  return [...before, Number(text)];
}

void new Command('test:nodes')
  .description('run the tests under every Node that is supported, one after the other')
  .argument('[major...]', 'only these', parseMajors)
  .option('--whole', 'the tests on the real stack too')
  .action((majors: readonly number[] | undefined, options: Options) => main(majors ?? [], options))
  .parseAsync();
