import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Environment } from '../../../topology/settings/environment';
import { packageRoot } from '../../../topology/settings/package';
import { keepOutput } from './planted-secrets';
import { testStackFolder } from './shared-stack';

const program = join(packageRoot(), 'dist', 'deploy', 'cli', 'downspout.js');

export interface CliResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the built `downspout` as a child process, away from the checkout, with nothing of a local stack. */
export async function runCli(
  args: readonly string[],
  options: {
    readonly environment?: Readonly<Record<string, string>>;
    readonly input?: string;
    readonly cwd?: string;
    /** Is given the process, for example to send it a signal. */
    readonly started?: (child: ChildProcess) => void;
  } = {},
): Promise<CliResult> {
  const child = spawn(process.execPath, [program, ...args], {
    cwd: options.cwd ?? tmpdir(),
    env: { PATH: process.env['PATH'], ...nowhere, ...options.environment },
  });
  options.started?.(child);
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.input ?? '');
  const [code] = (await once(child, 'close')) as [number | null];
  const [stdout, stderr] = [Buffer.concat(out).toString(), Buffer.concat(err).toString()];
  keepOutput(testStackFolder, child.spawnargs.join(' '), stdout + stderr);
  return { code, stdout, stderr };
}

/** A deployment's settings as the environment of a process; without the fail-points, which belong to one process only. */
export function variablesOf(environment: Environment): Record<string, string> {
  const { DOWNSPOUT_FAIL_POINTS: _, ...settings } = environment;
  return Object.fromEntries(
    Object.entries(settings).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]])),
  );
}

/** Addresses at which nothing listens, so that a test that forgets its settings fails instead of finding some other stack. */
export const nowhere = {
  DATABASE_URL: 'mysql://nobody:hush@127.0.0.1:1/downspout',
  WORKER_DATABASE_URL: 'mysql://nobody:hush@127.0.0.1:1/downspout',
  ADMIN_DATABASE_URL: 'mysql://nobody:hush@127.0.0.1:1/downspout',
  CDC_DATABASE_URL: 'mysql://nobody:hush@127.0.0.1:1/downspout',
  KAFKA_BROKERS: '127.0.0.1:1',
  CONNECT_URL: 'http://127.0.0.1:1',
};
