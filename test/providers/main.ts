import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Argument, Command } from 'commander';
import { systemClock } from '../../topology/core/clock';
import { reasonOf } from '../../topology/core/errors';
import { packageRoot } from '../../topology/settings/package';
import { fetchMailpit, fetchPds } from './servers/fetched';

interface ProviderTests {
  readonly project: string;
  readonly file: string;
  /** Puts the server that they need into the cache. */
  readonly fetch: (say: (text: string) => void, signal: AbortSignal) => Promise<string>;
}

const all = {
  bluesky: { project: 'providers', file: 'test/providers/bluesky', fetch: fetchPds },
  email: { project: 'providers', file: 'test/providers/email', fetch: fetchMailpit },
  stack: { project: 'providers-stack', file: 'test/providers/stack/', fetch: fetchPds },
} as const satisfies Readonly<Record<string, ProviderTests>>;
const names = Object.keys(all) as (keyof typeof all)[];

interface Counts {
  readonly passed: number;
  readonly failed: number;
}

/** A line about what is going on. */
function say(text: string): void {
  process.stderr.write(`${new Date(systemClock.now()).toISOString().slice(11, 19)} ${text}\n`);
}

async function main(chosen: readonly (keyof typeof all)[]): Promise<void> {
  let [passed, failed] = [0, 0];
  const interrupted = new AbortController();
  const end = (signal: string) => {
    say(`${signal}: ending`);
    process.exitCode = 130;
    interrupted.abort(new Error('interrupted'));
  };
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, end);
  for (const name of chosen) {
    if (interrupted.signal.aborted) break;
    const counts = await countsOf(name, all[name], interrupted.signal);
    say(`${name}: ${counts.passed} passed, ${counts.failed} failed`);
    passed += counts.passed;
    failed += counts.failed;
  }
  for (const signal of ['SIGINT', 'SIGTERM']) process.off(signal, end);
  if (failed > 0) process.exitCode ||= 1;
  process.stdout.write(`${passed} passed, ${failed} failed\n`);
}

/** What cannot be tried counts as one that failed, and the others are tried all the same. */
async function countsOf(name: string, tests: ProviderTests, signal: AbortSignal): Promise<Counts> {
  try {
    await tests.fetch((text) => say(`${name}: ${text}`), signal);
  } catch (error) {
    say(`${name}: not tried, because its server cannot be had here. ${reasonOf(error)}`);
    return { passed: 0, failed: 1 };
  }
  return run(tests, signal);
}

/** Of Jest's own report. */
interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numRuntimeErrorTestSuites: number;
}

async function run({ project, file }: ProviderTests, signal: AbortSignal): Promise<Counts> {
  const folder = mkdtempSync(join(tmpdir(), 'downspout-providers-'));
  const report = join(folder, 'report.json');
  const jest = join(packageRoot(), 'node_modules', 'jest', 'bin', 'jest.js');
  const args = ['--selectProjects', project, '--testPathPatterns', file, '--runInBand', '--verbose'];
  try {
    const child = spawn(process.execPath, [jest, ...args, '--json', `--outputFile=${report}`], {
      cwd: packageRoot(),
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    signal.addEventListener('abort', () => child.kill());
    const [code] = (await once(child, 'close')) as [number | null];
    const { numPassedTests, numFailedTests, numRuntimeErrorTestSuites } = JSON.parse(
      readFileSync(report, 'utf8'),
    ) as Report;
    const failed = numFailedTests + numRuntimeErrorTestSuites;
    // What is found when everything has ended, such as a secret in a log, is in the code alone.
    return { passed: numPassedTests, failed: code === 0 ? failed : Math.max(failed, 1) };
  } catch (error) {
    say(reasonOf(error));
    return { passed: 0, failed: 1 };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const command = new Command('npm run test:providers --')
  .description("Channels against providers' own servers, which are fetched, built and run here.")
  .addArgument(new Argument('[tests...]', 'those only').choices(names))
  .parse(process.argv);
const given = command.processedArgs[0] as (keyof typeof all)[];

void main(given.length === 0 ? names : given);
