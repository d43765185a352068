import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { interruptible } from '../../../deploy/cli/interrupt';
import { Output } from '../../../deploy/console/output';
import { packageRoot } from '../../../topology/settings/package';
import { until } from '../../support/until';

test('the first signal is told to the work, which stops where it may; the exit code is that of the signal', async () => {
  for (const [signal, exitCode] of [
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
  const program = join(packageRoot(), 'dist', 'deploy', 'cli', 'downspout.js');
  const child = spawn(process.execPath, [program, 'messages', 'import', '-', '--dry-run', '--json'], { cwd: tmpdir() });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk.toString();
  });
  const record = {
    account: 'a',
    channel: 'webhook',
    due_at: '2032-01-01T00:00:00Z',
    payload: { url: 'https://x.test' },
  };
  child.stdin.write(`${JSON.stringify(record)}\nnonsense\n`.repeat(2_000));
  // More than a reader looks at before it knows the format.
  await until('a line was read', () => err.includes('line 2'));
  child.kill('SIGTERM');
  const [code] = (await once(child, 'close')) as [number];
  expect(code).toBe(143);
  expect(JSON.parse(out)).toMatchObject({ dryRun: true, scheduled: 0 });
  expect(err).toMatch(/^Ending in good order; a second signal ends it at once\.$/m);
  expect(err).toMatch(/^Interrupted by SIGTERM\.$/m);
});
