import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { interruptible } from '../../../deploy/cli/interrupt';
import { Output } from '../../../deploy/console/output';
import { listenForEnd } from '../../../topology/runtime/signals';
import { packageRoot } from '../../../topology/settings/package';
import { until } from '../../support/until';

test('the first signal is told to the work, which stops where it may; the exit code is that of the signal', async () => {
  for (const [signal, exitCode] of [
    ['SIGHUP', 129],
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    const before = process.listenerCount(signal);
    const run = interruptible(new Output(), async ({ signal: aborted, check }) => {
      check();
      process.emit(signal, signal);
      expect(aborted.aborted).toBe(true);
      check();
    });
    await expect(run).rejects.toMatchObject({ name: 'Interrupted', message: `Interrupted by ${signal}.`, exitCode });
    expect(process.listenerCount(signal)).toBe(before);
  }
});

test('an import whose source stalls ends with the signal, and says how far it came', async () => {
  const { child, said, end } = await stalledImport();
  child.kill('SIGTERM');
  expect(await end).toBe(143);
  expect(JSON.parse(said.out)).toMatchObject({ dryRun: true, scheduled: 0 });
  expect(said.err).toMatch(/^Ending in good order; a second signal ends it at once\.$/m);
  expect(said.err).toMatch(/^Interrupted by SIGTERM\.$/m);
});

test('a terminal that is closed, which sends SIGHUP twice and reads no more, lets it end in good order too', async () => {
  const { child, said, end } = await stalledImport();
  child.stderr.destroy();
  child.kill('SIGHUP');
  child.kill('SIGHUP');
  expect(await end).toBe(129);
  expect(JSON.parse(said.out)).toMatchObject({ dryRun: true, scheduled: 0 });
});

test('a reader of the progress that leaves ends nothing', async () => {
  const { child, said, end } = await stalledImport();
  child.stderr.destroy();
  // Each of these lines is reported.
  child.stdin.end('nonsense\n'.repeat(2_000));
  expect(await end).toBe(1);
  expect(JSON.parse(said.out)).toMatchObject({ dryRun: true, read: 6_000, bad: 4_000 });
});

test('SIGHUP never counts as the second signal', () => {
  const heard: string[] = [];
  const stop = listenForEnd('on', (signal) => heard.push(signal));
  for (const signal of ['SIGTERM', 'SIGHUP', 'SIGTERM'] as const) process.emit(signal, signal);
  stop();
  expect(heard).toEqual(['SIGTERM', 'SIGTERM']);
  const stopAgain = listenForEnd('once', (signal) => heard.push(signal));
  process.emit('SIGHUP', 'SIGHUP');
  process.emit('SIGHUP', 'SIGHUP');
  expect(process.listenerCount('SIGHUP')).toBeGreaterThan(0);
  stopAgain();
  expect(heard).toEqual(['SIGTERM', 'SIGTERM', 'SIGHUP']);
});

/** An import that has read lines, and waits for more. */
async function stalledImport() {
  const program = join(packageRoot(), 'dist', 'deploy', 'cli', 'downspout.js');
  const child = spawn(process.execPath, [program, 'messages', 'import', '-', '--dry-run', '--json'], { cwd: tmpdir() });
  const said = { out: '', err: '' };
  child.stdout.on('data', (chunk: Buffer) => {
    said.out += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    said.err += chunk.toString();
  });
  const record = {
    account: 'a',
    channel: 'webhook',
    due_at: '2032-01-01T00:00:00Z',
    payload: { url: 'https://x.test' },
  };
  child.stdin.write(`${JSON.stringify(record)}\nnonsense\n`.repeat(2_000));
  // More than a reader looks at before it knows the format.
  await until('a line was read', () => said.err.includes('line 2'));
  return { child, said, end: once(child, 'close').then(([code]) => code as number | null) };
}
