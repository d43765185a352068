import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../../topology/core/clock';
import { Supervisor } from './supervisor';

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

test.each([
  ['release', true],
  ['nothing', false],
])('processes outlive this one only when released: a program that calls %s', async (call, ends) => {
  const folderText = JSON.stringify(folder);
  const program = `
    const { Supervisor } = require('./dist/test/support/stack/supervisor.js');
    const { systemClock } = require('./dist/topology/core/clock.js');
    const args = ['-e', ${JSON.stringify(DRAINS)}];
    const supervisor = new Supervisor({ clock: systemClock, workers: [{ name: 'due-1', args }], settings: {}, logFolder: ${folderText} });
    supervisor.start();
    console.log(supervisor.workers()[0].pid);
    if (${JSON.stringify(call)} === 'release') supervisor.release();
  `;
  const parent = spawn(process.execPath, ['-e', program], {
    cwd: join(__dirname, '../../..'),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let printed = '';
  parent.stdout.on('data', (data) => {
    printed += String(data);
  });
  await until(() => printed.includes('\n') && log().includes('up'));
  const pid = Number(printed);
  try {
    if (ends) await until(() => parent.exitCode === 0);
    expect(process.kill(pid, 0)).toBe(true);
    // Without a release the program stays for as long as its workers do.
    expect(parent.exitCode).toBe(ends ? 0 : null);
  } finally {
    process.kill(pid, 'SIGKILL');
    parent.kill('SIGKILL');
  }
});
