import type { PlacementRow, SupervisorStatus } from '../../../connectors/mysql/operators/placements';
import type { WorkerStatus } from '../../../connectors/mysql/operators/worker-status';
import { componentsOf, placementWarnings, processesOf } from '../../../deploy/inspect/where-it-runs';

const NOW = 1_800_000_000_000;
const [A, B] = ['aa'.repeat(16), 'bb'.repeat(16)];

const supervisor = (id: string, host: string, over: Partial<SupervisorStatus> = {}): SupervisorStatus => ({
  id,
  host,
  pid: 1,
  version: '1',
  startedAt: NOW - 60_000,
  leaseUntil: NOW + 4_000,
  leftAt: null,
  ...over,
});

const observed: NonNullable<PlacementRow['observed']> = {
  releaseNumber: 7,
  restarts: 0,
  session: 's1',
  pid: 11,
  state: 'ready',
  deaths: 0,
  lastError: null,
  logFile: '/logs/webhook-1.log',
};

const placement = (replica: number, over: Partial<PlacementRow> = {}): PlacementRow => ({
  component: 'webhook',
  replica,
  releaseNumber: 7,
  restarts: 0,
  supervisor: A,
  observed: { ...observed, session: `s${replica}`, pid: 10 + replica },
  observedAt: NOW,
  ...over,
});

const worker = (replica: number, over: Partial<WorkerStatus> = {}): WorkerStatus => ({
  session: `s${replica}`,
  components: ['webhook'],
  host: 'host-a',
  pid: 10 + replica,
  version: '1',
  release: 7,
  replica,
  supervisor: A,
  statusUrl: null,
  startedAt: NOW - 5_000,
  leaseUntil: NOW + 9_000,
  state: 'alive',
  partitions: { webhook: [replica] },
  gauges: {},
  ...over,
});

const supervisors = [supervisor(A, 'host-a'), supervisor(B, 'host-b')];

const states = (workers: WorkerStatus[], placements: PlacementRow[]) =>
  processesOf({ now: NOW, workers, placements, supervisors }).map(({ pid, host, state }) => [pid, host, state]);

describe('processes', () => {
  test('those that run, and those that are to run and do not', () => {
    const dead = { ...observed, session: null, pid: null, deaths: 4, lastError: 'ended by SIGKILL' };
    const looping = placement(2, { supervisor: B, observed: { ...dead, state: 'crash_looping' } });
    expect(states([worker(1)], [placement(1), looping, placement(3, { supervisor: null, observed: null })])).toEqual([
      [11, 'host-a', 'ready'],
      [null, 'host-b', 'crash looping'],
      [null, null, 'nobody runs it'],
    ]);
  });

  test('while one is replaced, the new one starts, and then the old one drains', () => {
    const both = [worker(1), worker(1, { session: 'new', pid: 99 })];
    const starting = placement(1, { observed: { ...observed, state: 'starting' } });
    expect(states(both, [starting])).toEqual([
      [11, 'host-a', 'ready'],
      [99, 'host-a', 'starting'],
    ]);
    const draining = placement(1, { observed: { ...observed, session: 'new', pid: 99, state: 'draining' } });
    expect(states(both, [draining])).toEqual([
      [11, 'host-a', 'draining'],
      [99, 'host-a', 'ready'],
    ]);
  });

  test('what a person started, what a dead supervisor left, and what lost its lease', () => {
    const byHand = worker(1, { supervisor: null, replica: null, session: 'h' });
    const leftOver = worker(2, { supervisor: B });
    const late = worker(3, { state: 'late' });
    expect(states([byHand, leftOver, late, worker(4, { state: 'left' })], [placement(2), placement(3)])).toEqual([
      [11, 'host-a', 'running'],
      [12, 'host-a', 'left over'],
      [13, 'host-a', 'lease is out'],
    ]);
  });
});

test('components: how many workers are wanted and ready, their tasks, and what is paused', () => {
  const workers = [
    worker(1),
    worker(2, { release: 8 }),
    worker(3, { components: ['due'], partitions: { due: [0, 1] } }),
  ];
  const placements = [placement(1), placement(2, { observed: { ...observed, state: 'starting' } })];
  const around = { now: NOW, workers, placements, supervisors };
  expect(componentsOf(around, [])).toEqual([
    { component: 'due', state: 'active', wanted: null, ready: 1, tasks: 1, partitions: 2, releases: [7] },
    { component: 'webhook', state: 'short of workers', wanted: 2, ready: 1, tasks: 2, partitions: 2, releases: [7, 8] },
  ]);
  const paused = [{ channel: 'webhook', account: null, pausedAt: NOW }] as unknown as Parameters<
    typeof componentsOf
  >[1];
  expect(componentsOf(around, paused)[1]?.state).toBe('paused');
  expect(componentsOf({ ...around, workers: [] }, [])[0]?.state).toBe('down');
  const all = paused.map((one) => ({ ...one, channel: null }));
  expect(componentsOf(around, [...all, ...paused]).map(({ state }) => state)).toEqual(['deactivated', 'deactivated']);
});

const pod = (session: string, component: string, partitions: number[]) =>
  worker(1, {
    session,
    components: [component],
    replica: null,
    supervisor: null,
    partitions: { [component]: partitions },
  });

test('where another engine runs the workers of the release that is live, those that do not run are seen too', () => {
  const workers = [pod('a', 'webhook', [0, 1]), pod('b', 'webhook', [2])];
  const elsewhere = new Map([
    ['due', 1],
    ['webhook', 3],
  ]);
  const around = { now: NOW, workers, placements: [], supervisors: [], elsewhere };
  expect(componentsOf(around, [])).toEqual([
    { component: 'due', state: 'down', wanted: 1, ready: 0, tasks: 0, partitions: 0, releases: [] },
    { component: 'webhook', state: 'short of workers', wanted: 3, ready: 2, tasks: 2, partitions: 3, releases: [7] },
  ]);
  expect(processesOf(around).map(({ component, state }) => `${component} ${state}`)).toEqual([
    'due does not run',
    'webhook running',
    'webhook running',
    'webhook does not run',
  ]);
  const scaled = [...workers, pod('c', 'webhook', [3]), pod('d', 'webhook', [4])];
  expect(componentsOf({ ...around, workers: scaled }, [])[1]).toMatchObject({ state: 'active', wanted: 3, ready: 4 });
});

describe('warnings', () => {
  test('nothing when all is well, and nothing of a host that left in good order', () => {
    const left = supervisor(B, 'host-b', { leftAt: NOW - 1_000, leaseUntil: NOW - 1_000 });
    expect(
      placementWarnings({
        now: NOW,
        placements: [placement(1)],
        supervisors: [supervisors[0] as SupervisorStatus, left],
      }),
    ).toEqual([]);
  });

  test('a host that is missing, and whether another one takes its work', () => {
    const dead = supervisor(A, 'host-a', { leaseUntil: NOW - 65_000 });
    const missing = placementWarnings({
      now: NOW,
      placements: [placement(1)],
      supervisors: [dead, supervisors[1] as SupervisorStatus],
    });
    expect(missing).toEqual([
      'Host host-a is missing: its supervisor was last heard of 1 min 5 s ago. Other hosts take its work.',
    ]);
    const alone = placementWarnings({ now: NOW, placements: [placement(1)], supervisors: [dead] });
    expect(alone).toEqual([
      expect.stringContaining('No other host is there'),
      '1 worker is to run and no supervisor is there: run `downspout supervisor --detach` on a host.',
    ]);
  });

  test('a worker that does not start, with what it said last', () => {
    const looping = placement(2, {
      observed: { ...observed, state: 'crash_looping', deaths: 3, lastError: 'ended with exit code 1: no' },
    });
    expect(placementWarnings({ now: NOW, placements: [looping], supervisors })).toEqual([
      'Worker webhook-2 of release 7 does not start (3 deaths in a row): ended with exit code 1: no. Its log is /logs/webhook-1.log.',
    ]);
  });
});
