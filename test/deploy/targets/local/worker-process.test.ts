import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startDetached } from '../../../../deploy/stack/host/processes';
import { WorkerProcess } from '../../../../deploy/targets/local/worker-process';
import { systemClock } from '../../../../topology/core/clock';
import { until } from '../../../support/until';

const folder = mkdtempSync(join(tmpdir(), 'downspout-detached-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('what is detached does not know that npm started its parent, and so outlives it', async () => {
  const before = process.env['npm_command'];
  process.env['npm_command'] = 'exec';
  const args = ['-e', 'console.log(`${process.env.npm_command} ${process.env.GIVEN ?? "given"}`)'];
  const logFile = join(folder, 'worker.log');
  try {
    await WorkerProcess.start({ args, settings: { GIVEN: 'given' }, logFile }, systemClock).ended;
    expect(readFileSync(logFile, 'utf8')).toBe('undefined given\n');
    const part = { command: process.execPath, args, cwd: folder, logFile: join(folder, 'part.log'), configuration: '' };
    await startDetached(part);
    await until('it has written', () => readFileSync(part.logFile, 'utf8').includes('\n'));
    expect(readFileSync(part.logFile, 'utf8')).toBe('undefined given\n');
  } finally {
    if (before === undefined) delete process.env['npm_command'];
    else process.env['npm_command'] = before;
  }
});
