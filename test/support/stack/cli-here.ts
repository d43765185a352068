import { tmpdir } from 'node:os';
import { Readable } from 'node:stream';
import { main } from '../../../deploy/cli/program';
import { type CliResult, nowhere } from './cli';

interface Options {
  readonly input?: string | undefined;
  readonly cwd?: string;
}

/** What is run last: a process has one environment, and one place to write to. */
let last: Promise<unknown> = Promise.resolve();

/**
 * Runs `downspout` as `runCli` does, but in this process, one after the other: for command lines that are soon answered, which a process
 * of their own would spend most of its time starting for.
 */
export function runHere(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
  options: Options = {},
): Promise<CliResult> {
  const run = last.then(() => runNow(args, environment, options));
  last = run.catch(() => undefined);
  return run;
}

async function runNow(
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
  { input = '', cwd = tmpdir() }: Options,
): Promise<CliResult> {
  const written = { stdout: '', stderr: '' };
  const before = { exitCode: process.exitCode, env: process.env, cwd: process.cwd(), stdin: stdinOf() };
  const spies = (['stdout', 'stderr'] as const).map((stream) =>
    jest.spyOn(process[stream], 'write').mockImplementation((text) => {
      written[stream] += String(text);
      return true;
    }),
  );
  process.exitCode = 0;
  process.env = { PATH: process.env['PATH'], ...nowhere, ...environment };
  process.chdir(cwd);
  const stdin = Readable.from([Buffer.from(input)]);
  Object.defineProperty(process, 'stdin', { configurable: true, get: () => stdin });
  try {
    await main(['node', 'downspout', ...args]);
    return { code: process.exitCode, ...written };
  } finally {
    for (const spy of spies) spy.mockRestore();
    Object.defineProperty(process, 'stdin', before.stdin);
    process.chdir(before.cwd);
    process.env = before.env;
    process.exitCode = before.exitCode;
  }
}

function stdinOf(): PropertyDescriptor {
  return Object.getOwnPropertyDescriptor(process, 'stdin') as PropertyDescriptor;
}
