import type { Generation } from '../../../../deploy/targets/local/next-steps';
import { PlacementSlot, type SlotProcess } from '../../../../deploy/targets/local/placement-slot';

const OLD: Generation = { releaseNumber: 7, restarts: 0 };
const NEW: Generation = { releaseNumber: 8, restarts: 0 };

let slot: PlacementSlot<SlotProcess>;
beforeEach(() => {
  slot = new PlacementSlot({ component: 'webhook', replica: 2 }, OLD, '/logs/webhook-2.log');
});

function started(generation: Generation, atMs: number, pid = 1): SlotProcess {
  const process: SlotProcess = { ...generation, pid, phase: 'starting', startedAtMs: atMs, session: null, reasons: [] };
  slot.processes.push(process);
  return process;
}

function ready(generation: Generation, atMs: number, pid = 1): SlotProcess {
  const process = started(generation, atMs, pid);
  slot.becameReady(process, atMs);
  return process;
}

test('a worker that dies is started again after a delay that doubles, and at once again after it lived well', () => {
  const delays = [0, 1_000, 2_000].map((at) => slot.died(started(OLD, at), 'ended by SIGKILL', at));
  expect(delays).toEqual([250, 500, 1_000]);
  expect(slot.steps(2_999).start).toEqual([]);
  expect(slot.nextStartMs(2_500)).toBe(3_000);
  expect(slot.steps(3_000).start).toEqual([OLD]);
  expect(slot.died(started(OLD, 3_000), 'ended by SIGKILL', 33_000)).toBe(250);
});

test('what is observed of a worker that dies: waiting, and crash looping from the third death on', () => {
  expect(slot.observed(0)).toMatchObject({ state: 'starting', releaseNumber: null, deaths: 0 });
  slot.died(ready(OLD, 0), 'ended by SIGKILL', 10);
  expect(slot.observed(10)).toMatchObject({ state: 'waiting', releaseNumber: 7, pid: null, deaths: 1 });
  for (const at of [300, 900]) slot.died(started(OLD, at), 'ended with exit code 1: no Kafka', at);
  expect(slot.observed(900)).toMatchObject({
    state: 'crash_looping',
    deaths: 3,
    lastError: 'ended with exit code 1: no Kafka',
  });
  const last = ready(OLD, 2_000, 9);
  expect(slot.observed(2_100)).toMatchObject({ state: 'crash_looping', pid: 9 });
  expect(slot.observed(32_000)).toMatchObject({ state: 'ready', pid: 9, deaths: 0 });
  expect(slot.died(last, 'ended by SIGKILL', 32_100)).toBe(250);
});

test('while a worker is replaced, the old one is shown until the new one has been ready beside it, and draining until it has ended', () => {
  const old = ready(OLD, 0, 1);
  slot.want(NEW);
  const next = started(NEW, 100, 2);
  expect(slot.observed(200)).toMatchObject({ state: 'starting', releaseNumber: 7, pid: 1 });
  expect(slot.becameReady(next, 200)).toBe(false);
  expect(slot.steps(2_199).drain).toEqual([]);
  expect(slot.observed(2_199)).toMatchObject({ state: 'starting', releaseNumber: 7, pid: 1 });
  expect(slot.becameReady(next, 2_200)).toBe(true);
  expect(slot.steps(2_200).drain).toEqual([old]);
  old.phase = 'draining';
  expect(slot.observed(2_300)).toMatchObject({ state: 'draining', releaseNumber: 8, pid: 2 });
  expect(slot.died(old, 'ended with exit code 0', 2_400)).toBeNull();
  expect(slot.observed(2_400)).toMatchObject({ state: 'ready', releaseNumber: 8, pid: 2, deaths: 0 });
});

test('a new worker that dies three times leaves the old one running, and is tried afresh when it is asked for again', () => {
  const old = ready(OLD, 0, 1);
  slot.want(NEW);
  for (const at of [100, 1_000, 2_000]) slot.died(started(NEW, at, 2), 'ended with exit code 1: bad setting', at);
  expect(slot.observed(2_000)).toMatchObject({
    state: 'crash_looping',
    releaseNumber: 7,
    pid: 1,
    lastError: expect.stringContaining('bad setting'),
  });
  expect(slot.processes).toEqual([old]);
  slot.want(OLD);
  expect(slot.observed(2_100)).toMatchObject({ state: 'ready', releaseNumber: 7, deaths: 0 });
  slot.want(NEW);
  expect(slot.observed(2_200)).toMatchObject({ state: 'starting', deaths: 0 });
});

test('a worker that is not ready within a minute is reported with what it waits for', () => {
  started(OLD, 0).reasons = ['webhook waits: Kafka: no broker answers'];
  expect(slot.observed(59_999)).toMatchObject({ state: 'starting' });
  expect(slot.observed(60_000)).toMatchObject({
    state: 'crash_looping',
    lastError: 'not ready after 60 s: webhook waits: Kafka: no broker answers',
  });
});

test('a worker that this host cannot run is reported with the reason, and tried again later', () => {
  slot.cannotStart(OLD, 'this host has downspout 1 and the release runs 2', 5_000);
  expect(slot.observed(0)).toMatchObject({
    state: 'crash_looping',
    lastError: expect.stringContaining('release runs 2'),
  });
  expect(slot.steps(4_999).start).toEqual([]);
  expect(slot.steps(5_000).start).toEqual([OLD]);
});
