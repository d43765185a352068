import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { ownRecord } from '../../../../deploy/stack/host/processes';
import { stopSupervisor } from '../../../../deploy/targets/local/detached';
import { HostState, runningSupervisor, runningWorkers } from '../../../../deploy/targets/local/host-state';
import { HostSupervisor } from '../../../../deploy/targets/local/host-supervisor';
import { ReleaseBook } from '../../../../deploy/targets/local/release-book';
import { workerArguments } from '../../../../deploy/targets/local/stray-workers';
import { WorkerProcess } from '../../../../deploy/targets/local/worker-process';
import { systemClock } from '../../../../topology/core/clock';
import { UserError } from '../../../../topology/core/errors';
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

function start(script: string, args: readonly string[] = []): WorkerProcess {
  const launch = { args: ['-e', script, '--', ...args], settings: {}, logFile: join(folder, 'logs', 'due-1.log') };
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

test('2. A worker that its supervisor could not remember before it died is found by its command line, and replaced', async () => {
  const state = new HostState(folder, 'h');
  state.close([]);
  const stray = start(DRAINS, workerArguments({ component: 'due', replica: 1 }, 7, state.id));
  start(DRAINS, workerArguments({ component: 'due', replica: 2 }, 7, 'f'.repeat(32)));
  await until('both run', () => log().split('up').length === 3);
  expect(runningWorkers(folder)).toEqual([expect.objectContaining({ component: 'due', replica: 1, pid: stray.pid })]);
  const store = new MemorySupervision(systemClock);
  store.want('due', 1, 7);
  const stop = new AbortController();
  const over = nextLife(store, stop.signal);
  await until('it is drained', () => log().includes('drained'));
  await until('another one runs', () => started.length === 3);
  stop.abort();
  await over;
  expect(runningWorkers(folder)).toEqual([]);
});

test('2. `supervisor --stop` ends a worker that nobody remembers, too', async () => {
  const state = new HostState(folder, 'h');
  state.close([]);
  start(DRAINS, workerArguments({ component: 'due', replica: 1 }, 7, state.id));
  await until('it runs', () => log().includes('up'));
  expect(await stopSupervisor(folder, systemClock)).toEqual({ supervisor: null, workers: 1 });
  expect(log()).toContain('drained');
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

test('a supervisor that cannot begin leaves the workers of the last one running, and is gone itself', async () => {
  const worker = await leftBehind('ready');
  const store = new MemorySupervision(systemClock);
  store.look = () => Promise.reject(new UserError('Access denied'));
  await expect(nextLife(store, new AbortController().signal)).rejects.toThrow('Access denied');
  expect(runningSupervisor(folder)).toBeNull();
  expect(runningWorkers(folder).map(({ pid }) => pid)).toEqual([worker.pid]);
});

test('a worker that was draining may go on for as long as its release allows, not for what is allowed to an unknown one', async () => {
  new HostState(folder, 'h').close([
    { component: 'webhook', replica: 1, releaseNumber: 7, restarts: 0, phase: 'draining', ...ownRecord() },
  ]);
  const bounds: [number, boolean | undefined][] = [];
  const stop = new AbortController();
  const ending = new AbortController();
  const supervisor = new HostSupervisor({
    host: 'h',
    pid: process.pid,
    version: '1',
    clock: systemClock,
    log: pino({ level: 'silent' }),
    state: new HostState(folder, 'h'),
    supervision: new MemorySupervision(systemClock),
    releases: new ReleaseBook(async () => ({
      specification: { components: { webhook: { timeout: '30m' } } },
      packageVersion: '1',
      program: null,
    })),
    readiness: async () => null,
    maker: {
      start: () => start(DRAINS),
      adopt: (record) => ({
        record,
        pid: record.pid,
        ended: once(ending.signal, 'abort').then(() => 'with exit code 0'),
        end: async (graceMs, isAsked) => {
          bounds.push([graceMs, isAsked]);
          return false;
        },
        release: () => undefined,
      }),
    },
    logFolder: join(folder, 'logs'),
    settings: {},
  });
  const over = supervisor.run(stop.signal, false);
  await until('it is bounded', () => bounds.length === 1);
  expect(bounds).toEqual([[expect.any(Number), true]]);
  expect(bounds[0]?.[0]).toBeGreaterThan(1_800_000);
  ending.abort();
  stop.abort();
  await over;
});

test('`supervisor --stop` does not ask a worker again that drains already', async () => {
  // Signals that wait are handled in the order of their numbers: SIGTERM is 15, SIGCONT 18.
  const script = `process.on('SIGTERM', () => console.log('asked')).on('SIGCONT', () => process.exit(0)); setInterval(() => {}, 1e6); console.log('up')`;
  const worker = await leftBehind('draining', script);
  const stopping = stopSupervisor(folder, systemClock);
  process.kill(worker.pid as number, 'SIGCONT');
  expect(await stopping).toEqual({ supervisor: null, workers: 1 });
  expect(log()).not.toContain('asked');
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

test('1. A host whose name has changed is the same one while workers of it run', async () => {
  const worker = await leftBehind('ready');
  const { id } = new HostState(folder, 'h');
  const renamed = new HostState(folder, 'renamed');
  expect(renamed.id).toBe(id);
  expect(renamed.survivors.map(({ pid }) => pid)).toEqual([worker.pid]);
});

test('a process that hangs is killed after its grace, and an adopted one too', async () => {
  const worker = start(STUBBORN);
  await until('it runs', () => log().includes('up'));
  const adopted = WorkerProcess.adopt(worker.record as NonNullable<WorkerProcess['record']>, systemClock);
  expect(await adopted.end(50)).toBe(true);
  expect(await worker.ended).toBe('by SIGKILL');
  expect(await worker.end(50)).toBe(false);
});
