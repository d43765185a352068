import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Supervisor } from '../../deploy/supervisor';
import { systemClock } from '../../topology/core/clock';

let folder: string;
let supervisor: Supervisor | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'downspout-supervisor-'));
});
afterEach(async () => {
  await supervisor?.stop(0);
  supervisor = undefined;
  rmSync(folder, { recursive: true, force: true });
});

const DRAINS = `process.on('SIGTERM', () => { console.log('drained'); process.exit(0); }); setInterval(() => {}, 1e6); console.log('up')`;
const STUBBORN = `process.on('SIGTERM', () => {}); setInterval(() => {}, 1e6); console.log('up')`;

function run(script: string, onEvent: (text: string) => void = () => {}, names = ['due-1']) {
  supervisor = new Supervisor({
    clock: systemClock,
    workers: names.map((name) => ({ name, args: ['-e', script] })),
    settings: {},
    logFolder: folder,
    onEvent,
  });
  supervisor.start();
  return supervisor;
}

const log = (name = 'due-1') => readFileSync(join(folder, `${name}.log`), 'utf8');

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await systemClock.sleep(10);
}

test('a process that dies is started again', async () => {
  const events: string[] = [];
  const running = run(DRAINS, (text) => events.push(text));
  await until(() => log().includes('up'));
  const pid = running.workers()[0]?.pid as number;
  process.kill(pid, 'SIGKILL');
  await until(() => running.workers()[0]?.restarts === 1 && log().split('up').length === 3);
  expect(running.workers()[0]?.pid).not.toBe(pid);
  expect(events[0]).toContain('due-1 ended by SIGKILL; starting it again in 250 ms');
});

test('a process that cannot live is started with growing delays', async () => {
  const events: string[] = [];
  run('process.exit(3)', (text) => events.push(text));
  await until(() => events.length === 3);
  expect(events.map((text) => /code 3; starting it again in (\d+) ms/.exec(text)?.[1])).toEqual(['250', '500', '1000']);
});

test('stopping drains', async () => {
  const running = run(DRAINS, undefined, ['due-1', 'due-2']);
  await until(() => log('due-1').includes('up') && log('due-2').includes('up'));
  expect(await running.stop(10_000)).toEqual([]);
  expect(log('due-1')).toContain('drained');
  expect(log('due-2')).toContain('drained');
  expect(running.workers().map((worker) => worker.pid)).toEqual([null, null]);
});

test('what does not drain within the limit is killed, and named', async () => {
  const running = run(STUBBORN);
  await until(() => log().includes('up'));
  expect(await running.stop(50)).toEqual(['due-1']);
  expect(running.workers()[0]?.pid).toBeNull();
});
