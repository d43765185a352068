import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { HostState, runningSupervisor, runningWorkers } from '../../../../deploy/targets/local/host-state';
import { HostSupervisor } from '../../../../deploy/targets/local/host-supervisor';
import { ReleaseBook } from '../../../../deploy/targets/local/release-book';
import { WorkerProcess } from '../../../../deploy/targets/local/worker-process';
import { systemClock } from '../../../../topology/core/clock';
import { MemorySupervision } from '../../../support/mysql/memory-supervision';
import { until } from '../../../support/until';

const DRAINS = `process.on('SIGTERM', () => { console.log('drained'); process.exit(0); }); setInterval(() => {}, 1e6); console.log('up')`;
const STUBBORN = `process.on('SIGTERM', () => {}); setInterval(() => {}, 1e6); console.log('up')`;

let folder: string;
let started: WorkerProcess[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'downspout-survivors-'));
  mkdirSync(join(folder, 'logs'));
  started = [];
});
afterEach(async () => {
  await Promise.all(started.map((one) => one.end(0)));
  rmSync(folder, { recursive: true, force: true });
});

const log = () => readFileSync(join(folder, 'logs', 'due-1.log'), 'utf8');

function start(script: string): WorkerProcess {
  const launch = { args: ['-e', script], settings: {}, logFile: join(folder, 'logs', 'due-1.log') };
  const process = WorkerProcess.start(launch, systemClock);
  started.push(process);
  return process;
}

/** What a supervisor that was killed has left: a worker, and what is remembered of it. */
async function leftBehind(phase: 'ready' | 'draining', script = DRAINS): Promise<WorkerProcess> {
  const worker = start(script);
  if (worker.record === null) throw new Error('it did not start');
  new HostState(folder, 'h').close([
    { component: 'due', replica: 1, releaseNumber: 7, restarts: 0, phase, ...worker.record },
  ]);
  await until('it runs', () => log().includes('up'));
  return worker;
}

function nextLife(store: MemorySupervision, signal: AbortSignal, releasesWorkers = false): Promise<void> {
  const supervisor = new HostSupervisor({
    host: 'h',
    pid: process.pid,
    version: '1',
    clock: systemClock,
    log: pino({ level: 'silent' }),
    state: new HostState(folder, 'h'),
    supervision: store,
    releases: new ReleaseBook(
      async () => ({ specification: { components: {} }, packageVersion: '1', program: null }),
      () => ({ program: 'any' }),
    ),
    readiness: async () => null,
    maker: { start: () => start(DRAINS), adopt: (record) => WorkerProcess.adopt(record, systemClock) },
    logFolder: join(folder, 'logs'),
    settings: {},
  });
  return supervisor.run(signal, releasesWorkers);
}

test('2. Workers that outlived their supervisor are found again, go on, and are started again when they die', async () => {
  const worker = await leftBehind('ready');
  const store = new MemorySupervision(systemClock);
  store.want('due', 1, 7);
  const stop = new AbortController();
  const over = nextLife(store, stop.signal);
  await until('it is seen', () => store.observed('due', 1)?.pid === worker.pid);
  expect(started).toHaveLength(1);
  expect(runningSupervisor(folder)?.pid).toBe(process.pid);
  process.kill(worker.pid as number, 'SIGKILL');
  await until('another one runs', () => started.length === 2);
  await until('it is up', () => log().split('up').length === 3);
  stop.abort();
  await over;
  expect(log()).toContain('drained');
  expect(runningWorkers(folder)).toEqual([]);
  expect(runningSupervisor(folder)).toBeNull();
});

test('a worker that was draining when its supervisor died is not asked twice, because that would end it at once', async () => {
  const worker = await leftBehind('draining');
  const stop = new AbortController();
  const over = nextLife(new MemorySupervision(systemClock), stop.signal);
  await until('it is remembered', () => runningSupervisor(folder) !== null);
  stop.abort();
  await until('it waits for the worker', () => runningSupervisor(folder) !== null);
  expect(log()).not.toContain('drained');
  process.kill(worker.pid as number, 'SIGTERM');
  await over;
});

test('workers go on without their supervisor when that was asked for', async () => {
  const worker = await leftBehind('ready');
  const stop = new AbortController();
  const store = new MemorySupervision(systemClock);
  store.want('due', 1, 7);
  const over = nextLife(store, stop.signal, true);
  await until('it is seen', () => store.observed('due', 1)?.pid === worker.pid);
  stop.abort();
  await over;
  expect(runningWorkers(folder).map(({ pid }) => pid)).toEqual([worker.pid]);
});

test('1. The supervisor of a state folder keeps its id from life to life', () => {
  const { id } = new HostState(folder, 'h');
  new HostState(folder, 'h').write([]);
  const again = new HostState(folder, 'h').id;
  expect([again === id, new HostState(folder, 'h').id]).toEqual([false, again]);
  expect(new HostState(folder, 'another host').id).not.toBe(again);
});

test('a process that hangs is killed after its grace, and an adopted one too', async () => {
  const worker = start(STUBBORN);
  await until('it runs', () => log().includes('up'));
  const adopted = WorkerProcess.adopt(worker.record as NonNullable<WorkerProcess['record']>, systemClock);
  expect(await adopted.end(50)).toBe(true);
  expect(await worker.ended).toBe('by SIGKILL');
  expect(await worker.end(50)).toBe(false);
});
