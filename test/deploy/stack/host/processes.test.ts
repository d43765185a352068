import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, isFree } from '../../../../deploy/stack/host/ports';
import {
  endProcess,
  ownRecord,
  type ProcessRecord,
  startDetached,
  stillRuns,
} from '../../../../deploy/stack/host/processes';
import { systemClock } from '../../../../topology/core/clock';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'processes-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

async function start(script: string, ...args: string[]): Promise<ProcessRecord> {
  const logFile = join(directory, 'log');
  rmSync(logFile, { force: true });
  const command = process.execPath;
  const program = { command, args: ['-e', script, ...args], cwd: directory, logFile, configuration: '' };
  const record = await startDetached(program);
  while (!readFileSync(logFile, 'utf8').includes('up')) await systemClock.sleep(10);
  return record;
}

describe('processes', () => {
  it('ends a process that obeys', async () => {
    const record = await start("setInterval(() => {}, 1000); console.log('up')");
    expect(stillRuns(record)).toBe(true);
    expect(await endProcess(record, 10_000, systemClock)).toBe('ended');
    expect(stillRuns(record)).toBe(false);
    expect(await endProcess(record, 10_000, systemClock)).toBe('gone');
  });

  it('kills a process that does not', async () => {
    const record = await start("process.on('SIGTERM', () => {}); setInterval(() => {}, 1000); console.log('up')");
    expect(await endProcess(record, 50, systemClock)).toBe('killed');
    expect(stillRuns(record)).toBe(false);
  });

  it('does not take another process with the same id for it', async () => {
    const stranger = { ...ownRecord(), started: 'another time' };
    expect(stillRuns(stranger)).toBe(false);
    expect(await endProcess(stranger, 0, systemClock)).toBe('gone');
  });

  it('counts a killed process as alive while it holds its port', async () => {
    // Much memory and many threads: ending takes its time.
    const script =
      "globalThis.much = Buffer.alloc(2e8, 1); require('net').createServer().listen(process.argv[1], '127.0.0.1', () => console.log('up'))";
    for (let kill = 0; kill < 8; kill++) {
      const port = await freePort(new Set());
      const record = await start(script, String(port));
      process.kill(record.pid, 'SIGKILL');
      // Without a pause: the moment in between is short.
      while (stillRuns(record)) continue;
      expect(await isFree(port)).toBe(true);
    }
  });

  it('tells when a program cannot be started', async () => {
    const program = { command: join(directory, 'none'), args: [], cwd: directory, configuration: '' };
    await expect(startDetached({ ...program, logFile: join(directory, 'log') })).rejects.toThrow('ENOENT');
  });
});
