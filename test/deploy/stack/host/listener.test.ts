import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { listenerOn } from '../../../../deploy/stack/host/listener';
import { freePort } from '../../../../deploy/stack/host/ports';
import { endProcess, ownRecord, type ProcessRecord, startDetached } from '../../../../deploy/stack/host/processes';
import { systemClock } from '../../../../topology/core/clock';
import { until } from '../../../support/until';

let directory: string;
let port: number;
let started: ProcessRecord[];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'listener-'));
  port = await freePort(new Set());
  started = [];
});
afterEach(async () => {
  for (const record of started) await endProcess(record, 0, systemClock);
  rmSync(directory, { recursive: true, force: true });
});

async function start(command: string, args: string[]): Promise<ProcessRecord> {
  const logFile = join(directory, `log${started.length}`);
  const record = await startDetached({ command, args, cwd: directory, logFile, configuration: '' });
  started.push(record);
  await until('it is up', async () => readFileSync(logFile, 'utf8').includes('up'));
  return record;
}

const LISTENS = "require('net').createServer().listen(+process.argv[1], process.argv[2], () => console.log('up'))";
const listens = (address: string) => start(process.execPath, ['-e', LISTENS, String(port), address]);

describe('who listens on a port', () => {
  it.each(['127.0.0.1', '0.0.0.0', '::', '::ffff:127.0.0.1'])('a process itself, on %s', async (address) => {
    const record = await listens(address);
    expect(listenerOn(port, record)).toBe('itself');
    expect(listenerOn(port, ownRecord())).toBe('another');
  });

  it('a process that a script has started', async () => {
    const script = `${process.execPath} -e "${LISTENS}" ${port} 127.0.0.1 & wait`;
    expect(listenerOn(port, await start('sh', ['-c', script]))).toBe('itself');
  });

  it('nobody', () => {
    expect(listenerOn(port, ownRecord())).toBe('nobody');
  });
});
