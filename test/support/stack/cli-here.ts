import { tmpdir } from 'node:os';
import { main } from '../../../deploy/cli/program';
import { type CliResult, nowhere } from './cli';

/**
 * Runs `downspout` as `runCli` does, but in this process, one after the other and with nothing to read: for command lines that are soon
 * answered, which a process of their own would spend most of its time starting for.
 */
export async function runHere(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
  cwd = tmpdir(),
): Promise<CliResult> {
  const written = { stdout: '', stderr: '' };
  const before = { exitCode: process.exitCode, env: process.env, cwd: process.cwd() };
  const spies = (['stdout', 'stderr'] as const).map((stream) =>
    jest.spyOn(process[stream], 'write').mockImplementation((text) => {
      written[stream] += String(text);
      return true;
    }),
  );
  process.exitCode = 0;
  process.env = { PATH: process.env['PATH'], ...nowhere, ...environment };
  process.chdir(cwd);
  try {
    await main(['node', 'downspout', ...args]);
    return { code: process.exitCode, ...written };
  } finally {
    for (const spy of spies) spy.mockRestore();
    process.chdir(before.cwd);
    process.env = before.env;
    process.exitCode = before.exitCode;
  }
}
