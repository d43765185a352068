import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { endWithNpm, type Starter } from '../../../deploy/cli/npm-starter';
import { commandLines } from '../../../deploy/stack/host/processes';
import { packageRoot } from '../../../topology/settings/package';
import { SilentPort } from '../../support/silent-port';
import { until } from '../../support/until';

const program = join(packageRoot(), 'dist', 'deploy', 'cli', 'downspout.js');

test('SIGTERM to npx ends the worker that it started, in good order', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'downspout-npx-'));
  const bin = join(folder, 'node_modules', '.bin', 'downspout');
  mkdirSync(dirname(bin), { recursive: true });
  writeFileSync(bin, `#!/usr/bin/env node\nrequire(${JSON.stringify(program)});\n`, { mode: 0o755 });
  writeFileSync(join(folder, 'package.json'), '{"name":"one","private":true}');
  writeFileSync(join(folder, 'topology.yaml'), 'components:\n  due: {}\n  webhook: {}\n');
  const silent = await SilentPort.open();
  const workers = () => [...commandLines()].filter(([, args]) => args.includes(bin)).map(([pid]) => pid);
  const npx = spawn('npx', ['--no-install', ...'downspout worker --component due'.split(' ')], {
    cwd: folder,
    env: { ...process.env, WORKER_DATABASE_URL: `mysql://w:w@${silent.address}/d`, KAFKA_BROKERS: silent.address },
  });
  let said = '';
  npx.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  try {
    await until('the worker asks for the database', () => silent.connections > 0);
    expect(workers()).toHaveLength(1);
    npx.kill('SIGTERM');
    // Its output is closed when the last process that has it is gone.
    await once(npx, 'close');
    expect(workers()).toEqual([]);
    expect(said).toMatch(/"signal":"SIGTERM","msg":"stopping"/);
    expect(said).not.toMatch(/ending at once/);
  } finally {
    for (const pid of workers()) process.kill(pid, 'SIGKILL');
    await silent.close();
    rmSync(folder, { recursive: true, force: true });
  }
});

/** What is done when the parent is another one at each look. */
function lookedAt(parents: readonly number[], starter: Partial<Starter> = {}) {
  const left = [...parents];
  const seen = { ends: 0, canceled: 0 };
  let look: (() => void) | undefined;
  endWithNpm({
    isNpm: true,
    parent: () => left.shift() ?? parents.at(-1) ?? 1,
    isAsked: () => false,
    end: () => {
      seen.ends++;
    },
    every: (_, run) => {
      look = run;
      return {
        cancel: () => {
          seen.canceled++;
        },
      };
    },
    ...starter,
  });
  for (const _ of parents) if (seen.canceled === 0) look?.();
  return seen;
}

test('a process that npm started ends once when its parent has gone, and not before', () => {
  expect(lookedAt([7, 7, 7])).toEqual({ ends: 0, canceled: 0 });
  expect(lookedAt([7, 7, 1, 1])).toEqual({ ends: 1, canceled: 1 });
});

test('a process that was asked to end already is not asked again, because a second signal ends it at once', () => {
  expect(lookedAt([7, 1], { isAsked: () => true })).toEqual({ ends: 0, canceled: 1 });
});

test('a process that npm did not start outlives its parent', () => {
  expect(lookedAt([7, 1], { isNpm: false })).toEqual({ ends: 0, canceled: 0 });
});
