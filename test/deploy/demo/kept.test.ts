import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KeptWorkers } from '../../../deploy/demo/kept';
import { systemClock } from '../../../topology/core/clock';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'downspout-kept-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('what was kept is stopped, once', async () => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)'], { stdio: 'ignore' });
  const exit = once(child, 'exit');
  await once(child, 'spawn');
  new KeptWorkers(folder).keep([child.pid as number]);
  expect(await new KeptWorkers(folder).stop(systemClock)).toBe(1);
  expect(await exit).toEqual([null, 'SIGTERM']);
  expect(await new KeptWorkers(folder).stop(systemClock)).toBe(0);
  expect(readdirSync(folder)).toEqual([]);
});

test('another process with the id of one that was kept is left alone', async () => {
  writeFileSync(join(folder, 'demo-workers.json'), JSON.stringify([{ pid: process.pid, started: 'long ago' }]));
  expect(await new KeptWorkers(folder).stop(systemClock)).toBe(0);
});

test('nothing kept, nothing done; a damaged file is no obstacle', async () => {
  expect(await new KeptWorkers(join(folder, 'none')).stop(systemClock)).toBe(0);
  writeFileSync(join(folder, 'demo-workers.json'), '{');
  expect(await new KeptWorkers(folder).stop(systemClock)).toBe(0);
  expect(existsSync(join(folder, 'demo-workers.json'))).toBe(false);
});
