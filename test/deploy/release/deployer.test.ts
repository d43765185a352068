import { placementName } from '../../../connectors/mysql/operators/placements';
import type { NewRelease } from '../../../connectors/mysql/operators/releases';
import { Deployer } from '../../../deploy/release/deployer';
import { planOf } from '../../../deploy/release/plan';
import { groupsOf, type RollSteps } from '../../../deploy/release/roll-steps';
import type { RolloutResult } from '../../../deploy/release/rollout';
import { systemClock } from '../../../topology/core/clock';
import { Unavailable } from '../../../topology/core/errors';
import { parseSpecification } from '../../../topology/settings/topology-settings';
import { MemoryDeployTables } from '../../support/mysql/memory-deploy-tables';
import { placement } from './placements';

const release = (timeout: string, replicas = 2): NewRelease => ({
  specification: { components: { due: { replicas: 1 }, webhook: { replicas, timeout } } },
  packageVersion: '1.0.0',
  image: null,
  program: null,
  target: 'local',
  environment: null,
  reason: 'deploy',
  who: 'ann',
  host: 'host-1',
});

let tables: MemoryDeployTables;
/** How the next rolls end, and after how many steps; all of them and well when nothing is said. */
let rolls: { readonly over: RolloutResult; readonly made: number }[];
let backs: { readonly over: RolloutResult; readonly made: number }[];
let interrupt: AbortController;
let lost: AbortController;
let lines: string[];
let asked: string[];
let preparing: () => Promise<void>;

/** Release 1 runs. */
beforeEach(() => {
  tables = new MemoryDeployTables();
  tables.add(release('9s'), 'live');
  tables.placed = [placement('due', 1), placement('webhook', 1), placement('webhook', 2)];
  rolls = [];
  backs = [];
  interrupt = new AbortController();
  lost = new AbortController();
  lines = [];
  asked = [];
  preparing = async () => undefined;
});

const done: RolloutResult = { result: 'done' };
const trouble = (made: number) => ({ over: { result: 'trouble', reason: 'errors rise' } as const, made });
const interrupted = (made: number) => ({ over: { result: 'interrupted', done: made, of: 2 } as const, made });

function make(steps: RollSteps, number: number, count: number): void {
  for (const step of groupsOf(steps).flat().slice(0, count)) {
    const rest = tables.placed.filter((one) => placementName(one) !== placementName(step));
    const { component, replica } = step;
    const own = placement(component, replica, { releaseNumber: step.releaseNumber ?? number });
    asked.push(`${placementName(own)} of ${own.releaseNumber}`);
    tables.placed = step.kind === 'end' ? rest : [...rest, own];
  }
}

function answer({ over = done, made = Number.POSITIVE_INFINITY } = {}, steps: RollSteps, number: number) {
  make(steps, number, made);
  return Promise.resolve(over);
}

function deployer(): Deployer {
  return new Deployer({
    tables,
    preparation: { partitions: async () => [], growths: async () => [], prepare: () => preparing() },
    workers: {
      roll: (steps, { number }) => answer(rolls.shift(), steps, number),
      goBack: (steps, number) => answer(backs.shift(), steps, number),
      end: async () => {
        tables.placed = [];
        return done;
      },
      untilHealthy: async () => done,
      leftOver: async () => [],
    },
    lock: { describe: async () => undefined, lost: lost.signal },
    clock: { ...systemClock, sleep: async () => undefined },
    signal: interrupt.signal,
    report: (text) => lines.push(text),
    ensureSupervisor: async () => undefined,
  });
}

const deploy = (wanted: NewRelease) => deployer().deploy(wanted, { canaries: 0, pauseMs: 0 });
const outcomes = () => tables.releases.map(({ outcome }) => outcome);
const running = () =>
  tables.placed.map((one) => `${placementName(one)} of ${one.releaseNumber}`).toSorted((a, b) => (a < b ? -1 : 1));
const old = ['due-1 of 1', 'webhook-1 of 1', 'webhook-2 of 1'];

/** The database does not answer this operation so many times. */
function stumble(operation: string, times: number, at: 'before' | 'after' = 'before'): void {
  let left = times;
  tables[at] = (one) => {
    if (one === operation && left-- > 0) throw new Unavailable('MySQL does not answer');
  };
}

test('a release that fails leaves the old one running', async () => {
  rolls.push(trouble(1));
  expect(await deploy(release('8s'))).toMatchObject({ outcome: 'rolled_back', release: 2, running: 1 });
  expect(outcomes()).toEqual(['live', 'rolled_back']);
  expect(running()).toEqual(old);
});

test('a deploy that was interrupted or killed is continued by the next one', async () => {
  rolls.push(interrupted(1));
  expect(await deploy(release('8s'))).toMatchObject({ outcome: 'interrupted', running: 1 });
  expect(outcomes()).toEqual(['live', 'deploying']);
  expect(await deploy(release('8s'))).toMatchObject({ outcome: 'live', release: 2 });
  expect(running()).toEqual(['due-1 of 1', 'webhook-1 of 2', 'webhook-2 of 2']);
});

test('who is interrupted is told a way back that there is: rollback needs a live release', async () => {
  rolls.push(interrupted(1));
  expect((await deploy(release('8s'))).reason).toMatch(/`downspout deploy` goes on, `downspout rollback 1` goes back$/);
  tables.releases = [];
  tables.placed = [];
  rolls.push(interrupted(1));
  expect(await deploy(release('8s'))).toMatchObject({
    outcome: 'interrupted',
    running: null,
    reason: '1 of 2 steps were made; `downspout deploy` goes on, `downspout kill` ends what runs',
  });
});

test.each([
  ['rollback to 5', '`downspout rollback 5` goes on, `downspout rollback 1` goes back'],
  ['rollback to 1', '`downspout rollback 1` goes on'],
  ['scale webhook=6', '`downspout scale webhook=6` goes on, `downspout rollback 1` goes back'],
])(
  'who is interrupted in a %s is told the command that goes on with it, which carries it to its end',
  async (reason, ways) => {
    const wanted = { ...release('8s'), reason };
    rolls.push(interrupted(1));
    expect((await deploy(wanted)).reason).toBe(`1 of 2 steps were made; ${ways}`);
    expect(await deploy(wanted)).toMatchObject({ outcome: 'live', release: 2 });
  },
);

test('who is interrupted while a release is taken back is told the release that runs on: rollback alone might go the other way', async () => {
  rolls.push(trouble(2));
  backs.push(interrupted(1));
  const { reason } = await deploy({ ...release('8s'), reason: 'rollback to 5' });
  expect(reason).toMatch(/going back stopped: 1 of 2 steps were made\. `downspout rollback 1` goes on$/);
});

test('a worker that would be the same in the new release is left alone', async () => {
  await deploy(release('8s'));
  expect(running()).toEqual(['due-1 of 1', 'webhook-1 of 2', 'webhook-2 of 2']);
  expect(await deploy(release('8s'))).toMatchObject({ outcome: 'unchanged', release: 2 });
});

test('what says the same in other words is no new release, as the plan has it', async () => {
  const specification = {
    components: { due: { replicas: 1, lead: '2s' }, webhook: { replicas: 2, timeout: '9000ms' } },
  };
  expect(await deploy({ ...release('9s'), specification })).toMatchObject({ outcome: 'unchanged', release: 1 });
  const before = tables.releases[0]?.specification;
  const settings = parseSpecification(specification, 'test');
  const runs = { settings: parseSpecification(before, 'test'), specification: before, number: 1 };
  const found = {
    schema: undefined,
    topics: undefined,
    connector: undefined,
    waiting: new Map(),
    unknown: [],
    notes: [],
  };
  const same = { packageVersion: '1.0.0', image: null, target: 'local' as const };
  const plan = planOf({ ...same, settings, specification }, { ...found, release: { ...same, ...runs } });
  expect(plan).toMatchObject({ steps: [], rolls: [] });
  expect(
    await deploy({ ...release('9s'), specification: { components: { ...specification.components, x: {} } } }),
  ).toMatchObject({
    outcome: 'live',
    release: 2,
  });
});

describe('what `kill` has deactivated is active again once a release is live', () => {
  test.each([
    ['kill was ended in its wait, and nothing has changed', () => undefined],
    ['kill was ended after its workers', () => void (tables.placed = [])],
    [
      'kill came to its end',
      () => {
        tables.placed = [];
        tables.set(1, 'superseded', 'killed');
      },
    ],
  ])('%s', async (_, kill) => {
    tables.deactivatedBy.add('kill');
    kill();
    expect(await deploy(release('9s'))).toMatchObject({
      outcome: expect.stringMatching(/live|unchanged/),
      isDeactivated: false,
    });
    expect(running().map((one) => one.split(' ')[0])).toEqual(['due-1', 'webhook-1', 'webhook-2']);
  });

  test('the deploy after kill was killed once the release was live', async () => {
    tables.deactivatedBy.add('kill');
    tables.after = (operation) => {
      if (operation === 'finish live') throw new Error('SIGKILL');
    };
    await expect(deploy(release('8s'))).rejects.toThrow('SIGKILL');
    expect(tables.deactivatedBy.size).toBe(0);
    expect(await deploy(release('8s'))).toMatchObject({ outcome: 'unchanged', isDeactivated: false });
  });

  test('and what a person has deactivated stays so, and is said', async () => {
    tables.deactivatedBy.add('kill').add('person');
    expect(await deploy(release('8s'))).toMatchObject({ outcome: 'live', isDeactivated: true });
    expect([...tables.deactivatedBy]).toEqual(['person']);
  });
});

describe('a database that stumbles changes no outcome', () => {
  test('when a halted release is taken back', async () => {
    rolls.push(trouble(1));
    tables.after = (operation) => {
      // From the roll on, everything fails once.
      if (operation === 'begin') stumble('placements', 2);
    };
    expect(await deploy(release('8s'))).toMatchObject({ outcome: 'rolled_back' });
    expect(running()).toEqual(old);
  });

  test.each(['rolled_back', 'live'])(
    'when it is written that it is %s, or when the answer to that is lost',
    async (outcome) => {
      for (const at of ['before', 'after'] as const) {
        stumble(`finish ${outcome}`, 3, at);
        if (outcome === 'rolled_back') rolls.push(trouble(1));
        expect(await deploy(release(at === 'before' ? '8s' : '7s'))).toMatchObject({ outcome });
        expect(outcomes().at(-1)).toBe(outcome);
        expect(outcomes().filter((one) => one === 'live')).toHaveLength(1);
      }
    },
  );

  test('when a release that others began is prepared again: what was touched is not said to have failed', async () => {
    rolls.push(interrupted(1));
    await deploy(release('8s'));
    preparing = async () => {
      throw new Unavailable('Kafka does not answer');
    };
    await expect(deploy(release('8s'))).rejects.toThrow('Kafka');
    expect(outcomes()).toEqual(['live', 'deploying']);
  });

  test('a release that cannot be prepared has failed, because no worker was touched', async () => {
    preparing = async () => {
      throw new Unavailable('Kafka does not answer');
    };
    await expect(deploy(release('8s'))).rejects.toThrow('Kafka');
    expect(outcomes()).toEqual(['live', 'failed']);
  });
});

test('a release whose taking back was interrupted has no outcome yet, and the next deploy of the old one goes on', async () => {
  rolls.push(trouble(2));
  backs.push(interrupted(1));
  expect(await deploy(release('8s'))).toMatchObject({
    outcome: 'interrupted',
    reason: expect.stringContaining('going back stopped'),
  });
  expect(outcomes()).toEqual(['live', 'deploying']);
  expect(await deploy(release('9s'))).toMatchObject({ outcome: 'live', release: 3 });
  expect(outcomes()).toEqual(['superseded', 'failed', 'live']);
});

test('without a live release, what was placed comes back, and only what the failed release has started ends', async () => {
  tables.set(1, 'failed');
  rolls.push(trouble(3));
  expect(await deploy(release('8s', 3))).toMatchObject({ outcome: 'rolled_back', running: 1 });
  expect(running()).toEqual(old);
});

test('a live release that this version cannot read is gone back to as it was placed', async () => {
  tables.releases = tables.releases.map((one) => ({
    ...one,
    specification: { components: { webhook: { timeout: 'soon' } } },
  }));
  rolls.push(trouble(3));
  expect(await deploy(release('8s'))).toMatchObject({ outcome: 'rolled_back', running: 1 });
  expect(running()).toEqual(old);
});

test('a first release that is halted ends its workers', async () => {
  tables.releases = [];
  tables.placed = [];
  rolls.push(trouble(2));
  expect(await deploy(release('8s'))).toMatchObject({ outcome: 'rolled_back', running: null });
  expect(running()).toEqual([]);
});

test('a release is refused while one of another target runs, or may run: nobody would end its workers', async () => {
  const elsewhere = { ...release('9s'), target: 'kubernetes' as const };
  tables.placed = [];
  for (const outcome of ['live', 'deploying'] as const) {
    tables.releases = [];
    tables.add(elsewhere, outcome);
    await expect(deploy(release('8s'))).rejects.toThrow(/Release 1 runs on the target kubernetes.*`downspout kill`/);
    expect(outcomes()).toEqual([outcome]);
    expect(running()).toEqual([]);
  }
});

const ofX = (timeout: string): NewRelease => ({
  ...release('9s'),
  specification: { components: { due: { replicas: 1 }, x: { replicas: 1, timeout } } },
});

test('a time-out that rises replaces the spouts before the bolts that have it, and going back takes them in the other order', async () => {
  tables.releases = [];
  tables.add(ofX('10s'), 'live');
  tables.placed = [placement('due', 1), placement('x', 1)];
  rolls.push(trouble(2));
  expect(await deploy(ofX('2min'))).toMatchObject({ outcome: 'rolled_back' });
  expect(asked).toEqual(['due-1 of 2', 'x-1 of 2', 'x-1 of 1', 'due-1 of 1']);
});

test('a release of an older version that fails is taken back forwards: bolts before the spout', async () => {
  tables.releases = [];
  tables.add({ ...release('9s', 1), packageVersion: '1.0.0' }, 'live');
  tables.placed = [placement('due', 1), placement('webhook', 1)];
  rolls.push(trouble(2));
  expect(await deploy({ ...release('9s', 1), packageVersion: '1.0.0-rc.1' })).toMatchObject({ outcome: 'rolled_back' });
  expect(asked).toEqual(['due-1 of 2', 'webhook-1 of 2', 'webhook-1 of 1', 'due-1 of 1']);
});

test('spouts of a live release that this version cannot read are replaced before the bolts whose time-outs they wait for', async () => {
  tables.releases = [];
  tables.add({ ...release('9s'), specification: { components: { x: { timeout: 'soon' } } } }, 'live');
  tables.placed = [placement('due', 1), placement('x', 1)];
  expect(await deploy(ofX('2min'))).toMatchObject({ outcome: 'live' });
  expect(asked).toEqual(['due-1 of 2', 'x-1 of 2']);
});

test('an older version is gone back to, and rolled back to, from the spout on', async () => {
  const newer = { ...release('9s', 1), packageVersion: '1.10.0' };
  tables.releases = [];
  tables.add({ ...release('9s', 1), packageVersion: '1.9.0' }, 'live');
  tables.placed = [placement('due', 1), placement('webhook', 1)];
  rolls.push(trouble(2));
  expect(await deploy(newer)).toMatchObject({ outcome: 'rolled_back' });
  expect(asked).toEqual(['webhook-1 of 2', 'due-1 of 2', 'due-1 of 1', 'webhook-1 of 1']);
  asked = [];
  await deploy(newer);
  await deploy({ ...release('9s', 1), packageVersion: '1.9.0', reason: 'rollback to 1' });
  expect(asked).toEqual(['webhook-1 of 3', 'due-1 of 3', 'due-1 of 4', 'webhook-1 of 4']);
});
