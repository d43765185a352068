import type { PlacementRow } from '../../../connectors/mysql/operators/placements';
import type { ObservedWorker } from '../../../connectors/mysql/schema/schema';
import { rollRules } from '../../../deploy/monitoring/halt-rules';
import { groupsOf, type RollSteps, rollSteps } from '../../../deploy/release/roll-steps';
import { Rollout, type RolloutResult } from '../../../deploy/release/rollout';
import { ManualClock } from '../../support/manual-clock';
import { placement } from './placements';
import { MemorySupervisors } from './supervisors';

let clock: ManualClock;
let supervisors: MemorySupervisors;
let interrupt: AbortController;
let trouble: string | null;
let crowd: string | null;
const lines: string[] = [];

beforeEach(() => {
  clock = new ManualClock();
  supervisors = new MemorySupervisors(clock);
  interrupt = new AbortController();
  trouble = null;
  crowd = null;
  lines.length = 0;
});

const replicas = new Map([
  ['webhook', 2],
  ['due', 2],
]);
const steps = (canaries = 0) => rollSteps([...supervisors.placements.values()], replicas, () => false, canaries);

async function run(these: RollSteps, pauseMs = 0, drainMs?: number, isContinued?: boolean): Promise<RolloutResult> {
  const rollout = new Rollout({
    port: supervisors,
    clock,
    signal: interrupt.signal,
    judge: async () => trouble,
    report: (text) => lines.push(text),
    crowd: async () => crowd,
    drainMs,
    isContinued,
    liveNumber: 1,
  });
  const over: RolloutResult[] = [];
  const running = rollout.run(these, 2, pauseMs).then((result) => over.push(result));
  while (over.length === 0) await clock.advance(100);
  await running;
  return over[0] as RolloutResult;
}

test('one worker at a time is replaced, and the next one only after the one before it is ready', async () => {
  expect(await run(steps())).toEqual({ result: 'done' });
  expect(supervisors.log).toEqual(['replace webhook-1', 'replace webhook-2', 'replace due-1', 'replace due-2']);
  expect(lines).toEqual([
    'webhook-1 is replaced (1 of 4)',
    'webhook-2 is replaced (2 of 4)',
    'due-1 is replaced (3 of 4)',
    'due-2 is replaced (4 of 4)',
  ]);
});

test('a roll stops at the first worker that does not become ready, or that crashes again and again', async () => {
  supervisors.crashing = 'webhook-2';
  expect(await run(steps())).toEqual({
    result: 'failed',
    reason: 'webhook-2 died 3 times in a row: exit code 1',
  });
  expect(supervisors.log).toEqual(['replace webhook-1', 'replace webhook-2']);
  supervisors.crashing = null;
  supervisors.hanging = 'due-1';
  expect(await run(rollSteps([placement('due', 1)], new Map([['due', 1]]), () => false, 0))).toEqual({
    result: 'failed',
    reason: expect.stringMatching(/^due-1 is not ready after \d+ s/),
  });
});

test('no worker is replaced while a crowd is due or about to be, for as long as that may be waited for', async () => {
  crowd = '20000 messages';
  clock.after(5_000, () => {
    crowd = null;
  });
  expect(await run(steps())).toEqual({ result: 'done' });
  expect(lines.slice(0, 2)).toEqual([
    'waiting until 20000 messages that are due about now are sent',
    'webhook-1 is replaced (1 of 4)',
  ]);
  const before = clock.monotonic();
  lines.length = 0;
  crowd = '20000 messages';
  const one = new Map([['due', 1]]);
  expect(await run(rollSteps([placement('due', 1)], one, () => false, 0))).toEqual({ result: 'done' });
  expect(lines).toHaveLength(2);
  expect(clock.monotonic() - before).toBeGreaterThanOrEqual(rollRules.crowdWaitMs);
});

test('while the roll waits for a crowd its first workers are judged, and the next ones stay when these fail', async () => {
  const running = run(steps(1), 5_000);
  clock.after(4_000, () => {
    crowd = '20000 messages';
  });
  clock.after(12_000, () => {
    trouble = 'all attempts fail';
  });
  expect(await running).toEqual({ result: 'trouble', reason: 'all attempts fail' });
  expect(supervisors.log).toEqual(['replace webhook-1']);
  expect(clock.monotonic()).toBeLessThan(12_000 + 2 * rollRules.judgeEveryMs);
});

test('new workers and those that are to end wait for no crowd', async () => {
  crowd = '20000 messages';
  supervisors.placements.clear();
  expect(await run(steps())).toEqual({ result: 'done' });
  expect(lines.filter((line) => line.startsWith('waiting'))).toEqual([]);
});

test('a worker that could not run before says nothing of the release that replaces it', async () => {
  const broken = {
    ...(placement('webhook', 1).observed as ObservedWorker),
    state: 'crash_looping' as const,
    deaths: 9,
  };
  supervisors.placements.set('webhook-1', { ...placement('webhook', 1), observed: broken, observedAt: clock.now() });
  expect(await run(steps())).toEqual({ result: 'done' });
});

test.each([
  ['another worker than the one that was asked for', 1, { result: 'done' }],
  ['the one that was asked for', 2, { result: 'failed', reason: 'webhook-1 died 3 times in a row: exit code 1' }],
])(
  'what a supervisor writes long after it looked counts only for the worker that it is about: %s',
  async (_, releaseNumber, expected) => {
    supervisors = new MemorySupervisors(clock, 8_000);
    const running = run(steps());
    clock.after(4_000, () => {
      const asked = supervisors.placements.get('webhook-1') as PlacementRow;
      const observed = {
        ...(placement('webhook', 1).observed as ObservedWorker),
        wanted: { releaseNumber, restarts: 0 },
        state: 'crash_looping' as const,
        deaths: 3,
        lastError: 'exit code 1',
      };
      supervisors.placements.set('webhook-1', { ...asked, observed, observedAt: clock.now() });
    });
    expect(await running).toEqual(expected);
  },
);

test('a roll stops when errors or lateness rise, also in the pause after the canaries', async () => {
  const running = run(steps(1), 60_000);
  clock.after(20_000, () => {
    trouble = '30 % of the attempts fail';
  });
  expect(await running).toEqual({ result: 'trouble', reason: '30 % of the attempts fail' });
  expect(supervisors.log).toEqual(['replace webhook-1']);
});

test('a roll stops when errors or lateness rise until what its first workers do not send would be overdue', async () => {
  // The first sender of the release is ready after 4 s, its first spout after 8.
  supervisors = new MemorySupervisors(clock, 4_000);
  const running = run(steps(1), 5_000);
  clock.after(rollRules.watchedMs + 5_000, () => {
    trouble = '40 messages are overdue';
  });
  expect(await running).toEqual({ result: 'trouble', reason: '40 messages are overdue' });
  expect(supervisors.log).toHaveLength(4);
  expect(lines.filter((line) => line.startsWith('watching'))).toEqual([
    'watching the first workers for 5 s',
    'watching the first workers for 5 s',
    expect.stringMatching(/^watching all workers for \d+ s$/),
  ]);
  // Nobody waits where nothing was replaced, or where nobody is to watch.
  trouble = null;
  const begunMs = clock.monotonic();
  await run(
    rollSteps([], replicas, () => true, 1),
    5_000,
  );
  await run(steps(), 0);
  expect(clock.monotonic() - begunMs).toBeLessThan(rollRules.watchedMs);
});

test('a roll that is continued watches its workers, also where all of them were replaced before', async () => {
  const nothing = rollSteps([], replicas, () => true, 1);
  const begunMs = clock.monotonic();
  expect(await run(nothing, 5_000, undefined, true)).toEqual({ result: 'done' });
  expect(clock.monotonic() - begunMs).toBeGreaterThanOrEqual(rollRules.watchedMs);
  const running = run(nothing, 5_000, undefined, true);
  clock.after(rollRules.watchedMs - 5_000, () => {
    trouble = '40 messages are overdue';
  });
  expect(await running).toEqual({ result: 'trouble', reason: '40 messages are overdue' });
  // Nobody is to watch.
  trouble = null;
  const laterMs = clock.monotonic();
  expect(await run(nothing, 0, undefined, true)).toEqual({ result: 'done' });
  expect(clock.monotonic() - laterMs).toBeLessThan(rollRules.watchedMs);
});

test('a worker that drains for longer than it may is no end: it is named, with what to do where its supervisor does not run', async () => {
  const left = { component: 'webhook', replica: 1, releaseNumber: 3, host: 'host-2', pid: 7, isSupervised: false };
  supervisors.draining = [left];
  const all = groupsOf(rollSteps([...supervisors.placements.values()], new Map(), () => true, 0));
  expect(await run([{ canaries: [], others: [all.flat()] }], 0, 90_000)).toEqual({
    result: 'failed',
    reason: expect.stringMatching(
      /^after 90 s there still run: webhook-1 of release 3 on host-2 \(process 7\)\. Their supervisor does not run on host-2: `downspout supervisor`/,
    ),
  });
  // In a roll the others do not wait for it.
  supervisors.draining = [left];
  expect(await run(rollSteps([placement('webhook', 1)], new Map(), () => true, 0))).toEqual({ result: 'done' });
});

test('a roll that is interrupted says how far it came', async () => {
  const running = run(steps());
  clock.after(1_500, () => interrupt.abort());
  expect(await running).toEqual({ result: 'interrupted', done: 1, of: 4 });
});

test('a roll goes on after the database was away', async () => {
  supervisors.away = 5;
  expect(await run(steps())).toEqual({ result: 'done' });
  expect(lines[0]).toBe('waiting: MySQL does not answer');
});

test('the time for which the database was away does not count against a worker that gets ready afterwards', async () => {
  const awayMs = rollRules.readyMs + 30_000;
  supervisors.hanging = 'webhook-1';
  clock.after(500, () => {
    supervisors.away = awayMs / 300;
  });
  clock.after(awayMs + 5_000, () => {
    supervisors.hanging = null;
  });
  expect(await run(steps())).toEqual({ result: 'done' });
});

test('a worker that was to end and whose lease ran out has ended only when it does not renew it', async () => {
  const worker = { component: 'webhook', replica: 3, releaseNumber: 1, host: 'host-1', pid: 7, isSupervised: true };
  supervisors.placements.set('webhook-3', placement('webhook', 3));
  supervisors.lapsed = [worker];
  clock.after(6_000, () => {
    supervisors.lapsed = [];
    supervisors.draining = [worker];
  });
  clock.after(20_000, () => {
    supervisors.draining = [];
  });
  expect(await run([{ canaries: [], others: [[{ kind: 'end', component: 'webhook', replica: 3 }]] }])).toEqual({
    result: 'done',
  });
  expect(clock.monotonic()).toBeGreaterThanOrEqual(20_000);
  supervisors.placements.set('webhook-3', placement('webhook', 3));
  supervisors.lapsed = [worker];
  const begunMs = clock.monotonic();
  await run([{ canaries: [], others: [[{ kind: 'end', component: 'webhook', replica: 3 }]] }]);
  expect(clock.monotonic() - begunMs).toBeGreaterThanOrEqual(10_000);
  expect(clock.monotonic() - begunMs).toBeLessThan(12_000);
});

/** It crashes again and again, as before any roll. */
function crash(component: string, replica: number): void {
  const { observed } = placement(component, replica);
  const looping = {
    ...(observed as ObservedWorker),
    state: 'crash_looping' as const,
    deaths: 4,
    lastError: 'disk full',
  };
  supervisors.placements.set(`${component}-${replica}`, {
    ...placement(component, replica),
    observed: looping,
    observedAt: 1,
  });
}
const sendersOnly = () =>
  rollSteps([...supervisors.placements.values()], replicas, ({ component }) => component === 'due', 0);

test('a worker that was not ready before and is left alone fails no roll', async () => {
  crash('due', 2);
  expect(await run(sendersOnly())).toEqual({ result: 'done' });
  expect(lines.at(-1)).toBe('left as it was: due-2 is not ready: disk full');
  expect(clock.monotonic()).toBeLessThan(rollRules.readyMs);
});

test('a worker that is left alone and does not run any more fails the roll', async () => {
  clock.after(500, () => crash('due', 2));
  expect(await run(sendersOnly())).toMatchObject({
    result: 'failed',
    reason: expect.stringMatching(/^due-2 is not ready after \d+ s: disk full/),
  });
});

test('a worker of the release that an earlier command has asked for is no one that was left alone', async () => {
  crash('due', 2);
  const { observed, observedAt } = supervisors.placements.get('due-2') as PlacementRow;
  supervisors.placements.set('due-2', { ...placement('due', 2, { releaseNumber: 2 }), observed, observedAt });
  expect(await run(sendersOnly())).toMatchObject({ result: 'failed', reason: expect.stringMatching(/^due-2 is not/) });
});
