import { execFile } from 'node:child_process';
import { UserError } from '../../../topology/core/errors';
import { childEnvironment } from '../../../topology/settings/environment';

const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;

/**
 * Runs a program to its end and returns what it printed on both outputs.
 * @param options.settings what it finds in its environment beside what this process has
 * @param options.signal ends it by SIGTERM
 * @param options.onlyStdout what it prints on the other output, such as warnings beside what was asked for, is no part of the answer
 * @throws UserError with the command and the last lines of what it printed; the signal's reason
 */
export function run(
  command: string,
  args: readonly string[],
  options: {
    readonly cwd?: string;
    readonly settings?: Readonly<Record<string, string>>;
    readonly signal?: AbortSignal | undefined;
    readonly onlyStdout?: boolean;
  } = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      command,
      args,
      {
        cwd: options.cwd,
        encoding: 'utf8',
        maxBuffer: MAX_OUTPUT_BYTES,
        ...(options.signal === undefined ? {} : { signal: options.signal }),
        env: childEnvironment(options.settings ?? {}),
      },
      (error, stdout, stderr) => {
        if (error === null) {
          resolve(options.onlyStdout === true ? stdout : stdout + stderr);
          return;
        }
        if (options.signal?.aborted === true) {
          reject(options.signal.reason as Error);
          return;
        }
        const last = (stdout + stderr).trimEnd().split('\n').slice(-12).join('\n');
        reject(new UserError(`\`${[command, ...args].join(' ').slice(0, 200)}\` failed:\n${last || error.message}`));
      },
    );
    child.stdin?.end();
  });
}

/** What the command prints, or null when it is not there or fails. */
export async function tryRun(command: string, args: readonly string[]): Promise<string | null> {
  try {
    return await run(command, args);
  } catch {
    return null;
  }
}

/** The path of a program that is on the PATH, or null. */
export async function onPath(program: string): Promise<string | null> {
  const found = await tryRun('sh', ['-c', 'command -v "$1"', 'sh', program]);
  return found === null ? null : found.trim() || null;
}
