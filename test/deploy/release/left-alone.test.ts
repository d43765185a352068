import { type PlacementKey, placementName } from '../../../connectors/mysql/operators/placements';
import type { NewRelease } from '../../../connectors/mysql/operators/releases';
import type { ObservedWorker } from '../../../connectors/mysql/schema/schema';
import { Deployer } from '../../../deploy/release/deployer';
import { asBefore } from '../../../deploy/release/left-alone';
import { Rollout, type RolloutOptions, type RolloutResult } from '../../../deploy/release/rollout';
import { ManualClock } from '../../support/manual-clock';
import { MemoryDeployTables } from '../../support/mysql/memory-deploy-tables';
import { placement } from './placements';
import { MemorySupervisors } from './supervisors';

const release = (timeout: string, webhooks = 2, lead = '2s'): NewRelease => ({
  specification: { components: { due: { replicas: 2, lead }, webhook: { replicas: webhooks, timeout } } },
  packageVersion: '1.0.0',
  image: null,
  program: null,
  target: 'local',
  environment: null,
  reason: 'deploy',
  who: 'ann',
  host: 'host-1',
});

let clock: ManualClock;
let supervisors: MemorySupervisors;
let tables: MemoryDeployTables;
let lines: string[];
/** Runs when a roll is halted. */
let halted: () => void;

/** Release 1 runs, and due-2 of it crashes again and again since before any deploy. */
beforeEach(() => {
  clock = new ManualClock();
  supervisors = new MemorySupervisors(clock);
  tables = new MemoryDeployTables();
  tables.add(release('9s'), 'live');
  tables.placements = async () => [...supervisors.placements.values()];
  lines = [];
  halted = () => undefined;
  const { observed } = placement('due', 2);
  const looping = {
    ...(observed as ObservedWorker),
    state: 'crash_looping' as const,
    deaths: 9,
    lastError: 'disk full',
  };
  supervisors.placements.set('due-2', { ...placement('due', 2), observed: looping, observedAt: 1 });
});

const signal = new AbortController().signal;
const report = (text: string) => {
  lines.push(text);
  if (text.startsWith('halted')) halted();
};

function deploy(wanted: NewRelease) {
  const rollout = (own: Partial<RolloutOptions> = {}) =>
    new Rollout({ port: supervisors, clock, signal, judge: async () => null, report, ...own });
  const passing = async (work: Promise<RolloutResult>) => {
    const over: RolloutResult[] = [];
    const running = work.then((result) => over.push(result));
    while (over.length === 0) await clock.advance(100);
    await running;
    return over[0] as RolloutResult;
  };
  const deployer = new Deployer({
    tables,
    preparation: { partitions: async () => [], growths: async () => [], prepare: async () => undefined },
    workers: {
      roll: (steps, { number, live }) => passing(rollout({ liveNumber: live }).run(steps, number, 0)),
      goBack: (steps, number, before) =>
        passing(rollout({ mayBeUnready: asBefore(before, steps) }).run(steps, number, 0)),
      end: async () => ({ result: 'done' }),
      untilHealthy: () => passing(rollout({ mayBeUnready: () => false }).run([], 0, 0)),
      leftOver: async () => [],
    },
    lock: { describe: async () => undefined, lost: signal },
    clock,
    signal,
    report,
    ensureSupervisor: async () => undefined,
  });
  return deployer.deploy(wanted, { canaries: 0, pauseMs: 0 });
}

const outcomes = () => tables.releases.map(({ outcome }) => outcome);
const running = () =>
  [...supervisors.placements.values()]
    .map((one: PlacementKey & { releaseNumber: number }) => `${placementName(one)} of ${one.releaseNumber}`)
    .toSorted((a, b) => (a < b ? -1 : 1));

test('with a worker that cannot run since before, other workers are deployed, scaled and rolled back', async () => {
  expect(await deploy(release('8s'))).toMatchObject({ outcome: 'live', release: 2 });
  expect(lines.at(-1)).toBe('left as it was: due-2 is not ready: disk full');
  expect(await deploy({ ...release('8s', 3), reason: 'scale webhook=3' })).toMatchObject({ outcome: 'live' });
  expect(await deploy({ ...release('9s'), reason: 'rollback to 1' })).toMatchObject({ outcome: 'live' });
  expect(outcomes()).toEqual(['superseded', 'superseded', 'superseded', 'live']);
});

test('a release that fails beside it is taken back to the end', async () => {
  supervisors.crashing = 'webhook-2';
  halted = () => {
    supervisors.crashing = null;
  };
  expect(await deploy(release('8s'))).toMatchObject({
    outcome: 'failed',
    running: 1,
    reason: expect.stringMatching(/^webhook-2 died/),
  });
  expect(outcomes()).toEqual(['live', 'failed']);
  expect(running()).toEqual(['due-1 of 1', 'due-2 of 1', 'webhook-1 of 1', 'webhook-2 of 1']);
});

test('a release that replaces it and does not mend it fails, and is taken back to the end although it did not run before either', async () => {
  supervisors.crashing = 'due-2';
  const over = await deploy(release('9s', 2, '3s'));
  expect(over).toMatchObject({ outcome: 'failed', running: 1, reason: expect.stringMatching(/^due-2 died/) });
  expect(outcomes()).toEqual(['live', 'failed']);
  expect(running()).toEqual(['due-1 of 1', 'due-2 of 1', 'webhook-1 of 1', 'webhook-2 of 1']);
});

test('where nothing changes it is said that it does not run', async () => {
  expect(await deploy(release('9s'))).toMatchObject({
    outcome: 'failed',
    release: 1,
    reason: expect.stringMatching(/^due-2 is not ready after/),
  });
  expect(outcomes()).toEqual(['live']);
});

/** Placements of a release that was begun and never was live, whose workers crash again and again. */
function broke(number: number, component: string): void {
  for (const replica of [1, 2]) {
    const one = placement(component, replica, { releaseNumber: number });
    const observed = {
      ...(one.observed as ObservedWorker),
      state: 'crash_looping' as const,
      lastError: 'cannot start',
    };
    supervisors.placements.set(placementName(one), { ...one, observed });
  }
}

test('what an interrupted first release broke is not live with the next one', async () => {
  tables.set(1, 'deploying');
  broke(1, 'webhook');
  broke(1, 'due');
  const components = { due: { replicas: 2 }, webhook: { replicas: 2, timeout: '9s', partitions: 16 } };
  expect(await deploy({ ...release('9s'), specification: { components } })).toMatchObject({
    outcome: 'failed',
    reason: expect.stringMatching(/is not ready after .*cannot start/),
  });
  expect(outcomes()).toEqual(['failed', 'failed']);
});

const withX = (timeout: string) => ({
  ...release(timeout),
  specification: {
    components: { due: { replicas: 2, lead: '2s' }, webhook: { replicas: 2, timeout }, x: { replicas: 2 } },
  },
});

test('what an interrupted release added and broke is not live with the next one, which leaves it alone', async () => {
  supervisors.placements.set('due-2', placement('due', 2));
  tables.add(withX('9s'), 'deploying');
  broke(2, 'x');
  expect(await deploy(withX('8s'))).toMatchObject({
    outcome: 'failed',
    running: 1,
    reason: expect.stringMatching(/^x-1 is not ready after .*cannot start/),
  });
  expect(outcomes()).toEqual(['live', 'failed', 'failed']);
  expect(running()).toEqual(['due-1 of 1', 'due-2 of 1', 'webhook-1 of 1', 'webhook-2 of 1']);
});
