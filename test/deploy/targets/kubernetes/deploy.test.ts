import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { GoingBackFailed, Halted, NothingChanged } from '../../../../deploy/targets/engine';
import {
  deployToKubernetes,
  type KubernetesDeployment,
  outdatedOnKubernetes,
  restartOnKubernetes,
} from '../../../../deploy/targets/kubernetes/deploy';
import { endOnKubernetes } from '../../../../deploy/targets/kubernetes/ending';
import { WORKER_LABELS } from '../../../../deploy/targets/kubernetes/names';
import type { TopologyOfEnvironment } from '../../../../deploy/targets/kubernetes/render';
import { UserError } from '../../../../topology/core/errors';
import { readEnvironment } from '../../../../topology/settings/environment';
import { ManualClock } from '../../../support/manual-clock';
import { CommandDouble } from '../../../support/targets/double';
import { topologyOf } from '../../../support/targets/topologies';
import { WatchDouble } from '../../../support/targets/watching';

interface Cluster {
  /** The templates that a Deployment has had. */
  deployments: Record<string, string[]>;
  broken: string[];
  refused?: string;
  unreachable: boolean;
  /** For how many looks a pod that was told to end runs on. */
  drains?: number;
  old?: { name: string; looks: number }[];
  replicas?: Record<string, number>;
  /** How many workers KEDA keeps, where it is paused. */
  paused?: Record<string, number>;
  /** Deployments with a pod on a node that does not answer. */
  stuck?: string[];
  calls: string[][];
}

let folder: string;
let kubectl: CommandDouble<Cluster>;
let steps: string[];
let interrupt: AbortController;
let watch: WatchDouble;

beforeEach(() => {
  interrupt = new AbortController();
  folder = mkdtempSync(join(tmpdir(), 'kubectl-'));
  kubectl = new CommandDouble('kubectl', 'CLUSTER', folder, {
    deployments: {},
    broken: [],
    unreachable: false,
    calls: [],
  });
  steps = [];
  watch = new WatchDouble();
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const guardOf = ({ signal }: AbortController) => ({ signal, mayGoOn: async () => signal.throwIfAborted() });
const cluster = () => ({
  guard: guardOf(interrupt),
  report: (step: string, text: string) => steps.push(`${step}: ${text}`),
  execute: kubectl.execute,
});
const PRODUCTION = topologyOf('{ webhook: { replicas: 4 } }');
const releaseOf = (number: number, { specification } = PRODUCTION, image = 'downspout:1') => ({
  number,
  specification,
  image,
});
interface Changed extends Omit<Partial<KubernetesDeployment>, 'release' | 'live' | 'unfinished'> {
  readonly live?: number | null;
  readonly image?: string;
  readonly unfinished?: KubernetesDeployment['unfinished'];
  /** What the release before says; what this one says unless given. */
  readonly before?: TopologyOfEnvironment;
}
/** Release 7 ran before, if anything. */
const rendered = () => ({
  base: topologyOf(),
  overlays: new Map([['production', PRODUCTION]]),
  deploymentId: 'c0ffee',
  environment: readEnvironment({}, {}),
  folder: join(folder, 'manifests'),
  ...cluster(),
});
const deploy = (release: number, { live, image, before, ...changed }: Changed = {}) => {
  const overlay = 'overlay' in changed ? changed.overlay : 'production';
  const topology = overlay === undefined ? (changed.base ?? topologyOf()) : PRODUCTION;
  const ran = live === undefined ? (kubectl.state.deployments['downspout-due'] === undefined ? null : 7) : live;
  return deployToKubernetes({
    ...rendered(),
    overlay,
    release: releaseOf(release, topology, image),
    live: ran === null ? null : releaseOf(ran, before ?? topology),
    unfinished: [],
    isBack: false,
    watch,
    ...changed,
  });
};
const running = (name: string) => kubectl.state.deployments[name]?.at(-1);

const again = () => deploy(8, { live: 7, mustRun: true });
/** All that is in the base. */
function manifests(): string {
  const base = join(folder, 'manifests', 'base');
  const texts = readdirSync(base).map((file) => readFileSync(join(base, file), 'utf8'));
  return texts.join('\n');
}

/** A deploy that is killed while it waits for the rollout of a component. */
async function killed(release: number, live: number | null = 7, component = 'due'): Promise<void> {
  const at = `deployment/downspout-${component}`;
  let isDead = false;
  const dies: typeof kubectl.execute = (command, args, options) => {
    isDead ||= args.includes('status') && args.includes(at);
    return isDead ? Promise.reject(new Error('SIGKILL')) : kubectl.execute(command, args, options);
  };
  await deploy(release, { live, execute: dies }).catch(() => undefined);
  expect(running(`downspout-${component}`)).toContain(`--release=${release}`);
}

test('1. It returns when every worker of the new release is ready and the old ones are gone', async () => {
  await deploy(7);
  expect(running('downspout-due')).toContain('--release=7');
  expect(running('downspout-webhook')).toContain('--release=7');
  expect(steps).toEqual([
    'cluster: kubectl talks to a-cluster',
    expect.stringMatching(/^manifests: \d+ files written below /),
    'rollout: downspout-webhook is rolled out',
    'rollout: downspout-due is rolled out',
  ]);
  const verbs = kubectl.state.calls.map(([verb, what]) =>
    verb === 'config' || verb === 'apply' ? verb : `${verb} ${what}`,
  );
  const stage = ['apply', 'rollout status', 'get pod'];
  expect(verbs).toEqual(['config', 'get replicaset', 'get deployment', 'apply', ...stage, ...stage, 'get replicaset']);
  expect(watch.seen).toEqual(['webhook', 'due', 'all']);
  expect(kubectl.state.calls[3]).toContain(join(folder, 'manifests', 'overlays', 'production'));
});

const LIVE_AGAIN = /The workers that ran before run again\.[^]*exceeded its progress deadline/;

describe('2. When a rollout does not come to its end, or is halted, every Deployment that has the release goes back to the one that ran before', () => {
  test('of those that it has changed', async () => {
    await deploy(7);
    kubectl.change((state) => ({ ...state, broken: ['downspout-due'] }));
    await expect(deploy(8)).rejects.toMatchObject({
      name: 'UserError',
      message: expect.stringMatching(LIVE_AGAIN),
    });
    for (const name of ['downspout-due', 'downspout-webhook']) expect(running(name)).toContain('--release=7');
    expect(steps.slice(-2)).toEqual([
      'undo: downspout-due is what it was before',
      'undo: downspout-webhook is what it was before',
    ]);
  });

  test.each([
    ['during', []],
    ['replaced webhook', ['webhook']],
    ['replaced due', ['webhook', 'due']],
    ['end', ['webhook', 'due', 'all']],
  ])('halted: %s', async (where, seen) => {
    await deploy(7);
    watch = new WatchDouble();
    watch.haltAt = where;
    const halted = deploy(8);
    await expect(halted).rejects.toThrow(Halted);
    await expect(halted).rejects.toThrow(/^30 % of the attempts fail$/);
    expect(watch.seen).toEqual(seen);
    for (const name of ['downspout-due', 'downspout-webhook']) expect(running(name)).toContain('--release=7');
    expect(steps).toContain('undo: halted: 30 % of the attempts fail');
  });

  test('halted and not gone back: it has no outcome yet', async () => {
    await deploy(7);
    watch.haltAt = 'end';
    const refuses: typeof kubectl.execute = (command, args, options) =>
      args.includes('undo') ? Promise.reject(new UserError('forbidden')) : kubectl.execute(command, args, options);
    const failed = deploy(8, { execute: refuses });
    await expect(failed).rejects.toThrow(GoingBackFailed);
    await expect(failed).rejects.toThrow(/^The rollout was halted\.[^]*forbidden\n30 % of the attempts fail$/);
  });

  test('where an earlier deploy of it was killed after it was applied', async () => {
    await deploy(7);
    await killed(8);
    kubectl.change((state) => ({ ...state, broken: ['downspout-webhook'] }));
    await expect(deploy(8)).rejects.toMatchObject({ message: expect.stringMatching(LIVE_AGAIN) });
    for (const name of ['downspout-due', 'downspout-webhook']) expect(running(name)).toContain('--release=7');
  });

  test('and not to another one that was killed in between', async () => {
    await deploy(7);
    await killed(8);
    kubectl.change((state) => ({ ...state, broken: ['downspout-webhook'] }));
    await expect(deploy(9)).rejects.toThrow(LIVE_AGAIN);
    for (const name of ['downspout-due', 'downspout-webhook']) expect(running(name)).toContain('--release=7');
  });

  test('and ends what only one that was never live has run', async () => {
    await killed(1, null);
    kubectl.change((state) => ({ ...state, broken: ['downspout-webhook'] }));
    await expect(deploy(2, { live: null })).rejects.toThrow(/Nothing ran before, so its workers were ended\./);
    expect(kubectl.state.deployments).toEqual({});
  });

  test('also where one before it that was killed runs, because it did not come as far', async () => {
    await deploy(7);
    await killed(8);
    const isRefused: typeof kubectl.execute = (command, args, options) =>
      args.includes('apply') ? Promise.reject(new UserError('forbidden')) : kubectl.execute(command, args, options);
    await expect(deploy(9, { execute: isRefused })).rejects.toThrow(/run again\.[^]*forbidden/);
    for (const name of ['downspout-due', 'downspout-webhook']) expect(running(name)).toContain('--release=7');
  });

  test('where one object of it was refused and the others were applied', async () => {
    await deploy(7);
    kubectl.change((state) => ({ ...state, refused: 'NetworkPolicy' }));
    await expect(deploy(8)).rejects.toThrow(/run again\.[^]*no matches for kind "NetworkPolicy"/);
    for (const name of ['downspout-due', 'downspout-webhook']) expect(running(name)).toContain('--release=7');
  });

  test('also when only settings are new, and not what they did not change', async () => {
    await deploy(7);
    kubectl.change((state) => ({ ...state, refused: 'NetworkPolicy' }));
    await expect(deploy(7)).rejects.toThrow(/There is nothing to go back to\.[^]*no matches for kind/);
    expect(kubectl.state.deployments['downspout-due']).toHaveLength(1);
    const before = running('downspout-due');
    await expect(deploy(7, { image: 'downspout:2' })).rejects.toThrow(/run again\.[^]*no matches for kind/);
    expect(running('downspout-due')).toBe(before);
  });

  test('and says so when that fails, too', async () => {
    await deploy(7);
    kubectl.change((state) => ({ ...state, broken: ['downspout-webhook'] }));
    const refuses: typeof kubectl.execute = (command, args, options) =>
      args.includes('undo') ? Promise.reject(new UserError('forbidden')) : kubectl.execute(command, args, options);
    await expect(deploy(8, { execute: refuses })).rejects.toThrow(GoingBackFailed);
  });
});

test('4. It changes nothing once the command may not go on', async () => {
  await deploy(7);
  const sleeps: typeof kubectl.execute = async (command, args, options) => {
    if (!args.includes('status')) return kubectl.execute(command, args, options);
    // The next one has taken the right to deploy, and deploys.
    await deploy(9);
    interrupt.abort(new Error('no right any more'));
    throw new UserError('error: watch closed before UntilWithoutRetry timeout');
  };
  await expect(deploy(8, { execute: sleeps })).rejects.toThrow('no right any more');
  for (const name of ['downspout-due', 'downspout-webhook']) expect(running(name)).toContain('--release=9');
  expect(kubectl.state.calls.filter(([, what]) => what === 'undo')).toEqual([]);
});

test('a component is restarted by all of its pods at once, and not where it does not run', async () => {
  await restartOnKubernetes('due', cluster());
  expect(kubectl.state.calls.filter(([verb]) => verb === 'delete')).toEqual([]);
  await deploy(7);
  await restartOnKubernetes('due', cluster());
  const deleted = kubectl.state.calls.filter(([verb]) => verb === 'delete');
  expect(deleted).toEqual([
    ['delete', 'pod', expect.stringMatching(/name=downspout.*component in \(due,due\.canary\)$/)],
  ]);
  expect(steps.at(-1)).toBe('rollout: downspout-due is restarted');
});

const outdated = (overlay?: string) => outdatedOnKubernetes({ ...rendered(), overlay, release: releaseOf(7) });
const settingsIn = (path: string) => join(folder, 'manifests', path, 'settings.env');

describe('what would replace pods although they run the release already is known before', () => {
  test.each([
    [undefined, 'base'],
    ['production', 'base'],
    ['production', join('overlays', 'production')],
  ])('settings that have changed (overlay %s, in %s)', async (overlay, path) => {
    await deploy(7, { overlay });
    expect(await outdated(overlay)).toEqual([]);
    appendFileSync(settingsIn(path), 'LOG_LEVEL=debug\n');
    expect(await outdated(overlay)).toEqual(['due', 'webhook']);
    await deploy(8, { overlay, canaries: 1 });
    expect(watch.seen.slice(-5)).toEqual(['webhook', '', 'due', '', 'all']);
    expect(await outdated(overlay)).toEqual([]);
  });

  test('not what a cluster does not have, which is started', async () => {
    await deploy(7);
    appendFileSync(settingsIn('base'), 'LOG_LEVEL=debug\n');
    kubectl.change((state) => ({ ...state, deployments: {} }));
    expect(await outdated('production')).toEqual([]);
  });

  test('settings with which workers fail are taken back with their release, and are other ones again', async () => {
    await deploy(7);
    appendFileSync(settingsIn('base'), 'KAFKA_BROKERS=nowhere:9092\n');
    watch = new WatchDouble();
    watch.haltAt = 'replaced webhook';
    const before = running('downspout-webhook');
    await expect(deploy(8, { canaries: 1 })).rejects.toThrow(Halted);
    expect(running('downspout-webhook')).toBe(before);
    expect(await outdated('production')).toEqual(['due', 'webhook']);
  });
});

test('all workers end, also where the cluster has no KEDA', async () => {
  await deploy(7);
  await endOnKubernetes('c0ffee', cluster());
  expect(kubectl.state.deployments).toEqual({});
});

test.each(['production', undefined])('no worker of another deployment ends (overlay %s)', async (overlay) => {
  await deploy(7, { overlay });
  await endOnKubernetes('beef', cluster());
  expect(Object.keys(kubectl.state.deployments).toSorted()).toEqual(['downspout-due', 'downspout-webhook']);
});

test('3. It can be run again after it was interrupted: the cluster is asked for the same again', async () => {
  await deploy(7);
  await deploy(7);
  expect(kubectl.state.deployments['downspout-due']).toHaveLength(1);
  expect(kubectl.state.calls.filter(([, what]) => what === 'undo')).toEqual([]);
});

/** A deploy that is killed before or after a call of kubectl. @returns whether it came as far */
async function killedAt(call: number, isAfter: boolean, changed: Changed = {}): Promise<boolean> {
  let calls = 0;
  const dies: typeof kubectl.execute = async (command, args, options) => {
    calls++;
    if (calls > call || (calls === call && !isAfter)) throw new Error('SIGKILL');
    const said = await kubectl.execute(command, args, options);
    if (calls < call) return said;
    throw new Error('SIGKILL');
  };
  await deploy(8, { execute: dies, ...changed }).catch(() => undefined);
  return calls >= call;
}

test('3. It can be run again after it was killed before or after any call of kubectl', async () => {
  await deploy(7);
  const before = kubectl.state;
  let kills = 0;
  for (const isAfter of [false, true]) {
    for (let call = 1; ; call++, kills++) {
      kubectl.change(() => before);
      if (!(await killedAt(call, isAfter))) break;
      await deploy(8, { unfinished: [releaseOf(8)] });
      for (const name of ['downspout-due', 'downspout-webhook']) expect(running(name)).toContain('--release=8');
      expect(Object.values(kubectl.state.deployments).map((history) => history.length)).toEqual([2, 2]);
    }
  }
  expect(kills).toBe(22);
});

const ofX = (timeout: string) => topologyOf(`{ due: {}, x: { timeout: ${timeout} }, webhook: {} }`);
const at = (timeout: string) => ({ overlay: undefined, base: ofX(timeout) });
const applied = () =>
  kubectl.state.calls
    .filter(([verb]) => verb === 'apply')
    .flatMap((call) => / in \((.*)\)/.exec(call.at(-1) ?? '')?.[1] ?? []);
const undone = () =>
  kubectl.state.calls
    .filter(([, what]) => what === 'undo')
    .map(([, , name]) => name?.replace('deployment/downspout-', ''));

test('a way back that was killed before or after any call of kubectl is gone again by the next release that fails, and left by one that does not', async () => {
  await deploy(7);
  const before: Cluster = { ...kubectl.state, broken: ['downspout-due'] };
  let kills = 0;
  for (const [isAfter, broken] of [
    [false, ['downspout-webhook']],
    [true, []],
  ] as const) {
    for (let call = 9; ; call++, kills++) {
      kubectl.change(() => before);
      if (!(await killedAt(call, isAfter))) break;
      kubectl.change((state) => ({ ...state, broken: [...broken] }));
      const next = deploy(9, { unfinished: [releaseOf(8)] });
      const fails = broken.length > 0;
      const outcome = await next.then(
        () => 'live',
        (error: unknown) => (error instanceof GoingBackFailed ? 'mixed' : 'failed'),
      );
      expect(outcome).toBe(fails ? 'failed' : 'live');
      const release = `--release=${fails ? 7 : 9}`;
      for (const name of ['downspout-due', 'downspout-webhook']) expect(running(name)).toContain(release);
    }
  }
  expect(kills).toBe(18);
});

describe('6. The components are replaced in stages, and of those of one stage no old worker runs any more when the next one begins. Going back, too', () => {
  test('bolts before the spout', async () => {
    await deploy(8, { ...at('10s'), live: 7 });
    expect(applied()).toEqual(['x,webhook', 'due']);
  });

  test('but a bolt after it whose time-out rises, and before it going back', async () => {
    await deploy(7, at('10s'));
    kubectl.change((state) => ({ ...state, calls: [], broken: ['downspout-x'] }));
    await expect(deploy(8, { ...at('2min'), before: ofX('10s') })).rejects.toThrow(LIVE_AGAIN);
    expect(applied()).toEqual(['webhook', 'due', 'x']);
    expect(undone()).toEqual(['x', 'due', 'webhook']);
  });

  test('also one whose time-out a release that was interrupted had lowered', async () => {
    const unfinished = [releaseOf(8, ofX('10s'))];
    await deploy(9, { ...at('2min'), live: 7, unfinished });
    expect(applied()).toEqual(['webhook', 'due', 'x']);
  });

  test('and back to an older version the spout comes first', async () => {
    await deploy(8, { ...at('10s'), live: 7, isBack: true });
    expect(applied()).toEqual(['due', 'x,webhook']);
  });

  test('what drains is waited for', async () => {
    await deploy(7);
    kubectl.change((state) => ({ ...state, drains: 3 }));
    const drains: Record<string, readonly string[]> = {};
    const looks: typeof kubectl.execute = (command, args, options) => {
      const [verb] = args;
      if (verb === 'apply') drains[args.at(-1) ?? ''] = (kubectl.state.old ?? []).map(({ name }) => name);
      return kubectl.execute(command, args, options);
    };
    const clock = { monotonic: () => 0, sleep: async () => undefined };
    await deploy(8, { execute: looks, clock });
    expect(Object.values(drains)).toEqual([[], [], []]);
    expect(kubectl.state.old).toEqual([]);
    expect(kubectl.state.calls.filter(([, what]) => what === 'pod')).toHaveLength(10);
  });

  test('but not for ever, such as on a node that does not answer', async () => {
    await deploy(7);
    kubectl.change((state) => ({ ...state, drains: 1_000_000 }));
    const clock = new ManualClock();
    const over: unknown[] = [];
    void deploy(8, { clock }).then(
      () => over.push('done'),
      (error: unknown) => over.push(error),
    );
    while (over.length === 0) await clock.advance(5_000);
    expect(over).toEqual(['done']);
    expect(steps.filter((step) => step.includes('is waited for no longer'))).toEqual([
      expect.stringMatching(
        /^rollout: downspout-webhook: a worker that was told to end \d+ s ago is waited for no longer$/,
      ),
      expect.stringMatching(/^rollout: downspout-due: /),
    ]);
  });
});

const CANARY = 'downspout-webhook--canary';
const MAIN = 'downspout-webhook';
const releasesOf = (name: string) => /--release=(\d+)/.exec(running(name) ?? '')?.[1];
const four = (partitions: number) => topologyOf(`{ due: {}, webhook: { replicas: 4, partitions: ${partitions} } }`);
const canaried = (base: TopologyOfEnvironment, changed: Changed = {}) =>
  deploy(8, { overlay: undefined, base, canaries: 1, ...changed });

/** Release 7 runs four webhook workers. */
async function four7(partitions: number, changed: Changed = {}): Promise<TopologyOfEnvironment> {
  const base = four(partitions);
  await deploy(7, { overlay: undefined, base, ...changed });
  kubectl.change((state) => ({ ...state, calls: [], replicas: { ...state.replicas, [MAIN]: 4 } }));
  return base;
}

interface Seen {
  readonly canary: string | undefined;
  readonly canaries: number | undefined;
  readonly old: string | undefined;
  readonly workers: number | undefined;
  readonly paused: number | undefined;
}

/** What runs while the canaries of webhook are watched. */
function whileWatched(): Seen[] {
  const seen: Seen[] = [];
  const replaced = watch.replaced.bind(watch);
  watch.replaced = async (components) => {
    if (components.includes('webhook') && running(CANARY) !== undefined) {
      const { replicas, paused } = kubectl.state;
      seen.push({
        canary: releasesOf(CANARY),
        canaries: replicas?.[CANARY],
        old: releasesOf(MAIN),
        workers: replicas?.[MAIN],
        paused: paused?.[MAIN],
      });
    }
    await replaced(components);
  };
  return seen;
}

const expectWhole = (release: string) => {
  expect(Object.keys(kubectl.state.deployments).toSorted()).toEqual(['downspout-due', MAIN]);
  expect([releasesOf(MAIN), releasesOf('downspout-due')]).toEqual([release, release]);
  expect(kubectl.state.replicas?.[MAIN]).toBe(4);
  expect(kubectl.state.paused ?? {}).toEqual({});
};

describe('7. Of the components of a stage canaries are made and watched before the others follow, and they are gone when these are replaced, or go back', () => {
  test('beside those that run, where there are partitions for all', async () => {
    const base = await four7(8);
    const seen = whileWatched();
    await canaried(base, { canaries: 2 });
    expect(seen).toEqual([{ canary: '8', canaries: 2, old: '7', workers: 4, paused: undefined }]);
    expectWhole('8');
    expect(steps).toContain(`rollout: ${CANARY}: 2 new workers run beside 4 old ones`);
    // What was watched already is not watched again.
    expect(watch.seen.slice(-5)).toEqual(['webhook', '', 'due', '', 'all']);
  });

  test('in the place of as many where there are none, which KEDA does not bring back meanwhile', async () => {
    const base = await four7(4);
    const seen = whileWatched();
    await canaried(base);
    expect(seen).toEqual([{ canary: '8', canaries: 1, old: '7', workers: 3, paused: 3 }]);
    expectWhole('8');
    const calls = kubectl.state.calls.map((call) => call.join(' '));
    const ready = calls.findIndex((call) => call.startsWith(`rollout status deployment/${CANARY}`));
    expect(calls.findIndex((call) => call.startsWith('scale'))).toBeGreaterThan(ready);
  });

  test('and without KEDA the manifest brings them back', async () => {
    const without = ['keda'] as const;
    const base = await four7(4, { without });
    const seen = whileWatched();
    await canaried(base, { without });
    expect(seen).toEqual([{ canary: '8', canaries: 1, old: '7', workers: 3, paused: undefined }]);
    expectWhole('8');
    expect(kubectl.state.calls.filter((call) => call.includes('scaledobject'))).toEqual([]);
  });

  test.each([4, 8])('halted, with %s partitions: they end, and as many old ones run as before', async (partitions) => {
    const base = await four7(partitions);
    watch.haltAt = 'replaced webhook';
    await expect(canaried(base)).rejects.toThrow(Halted);
    expectWhole('7');
    expect(kubectl.state.calls.filter(([, what]) => what === 'undo')).toEqual([]);
    expect(steps.slice(-2)).toEqual(['undo: halted: 30 % of the attempts fail', `undo: ${CANARY} is ended`]);
  });

  test('and no component waits with fewer workers for the canary of another one to end', async () => {
    const base = topologyOf('{ due: {}, webhook: { replicas: 4, partitions: 4 }, x: { replicas: 4, partitions: 4 } }');
    await deploy(7, { overlay: undefined, base });
    kubectl.change((state) => ({ ...state, calls: [], replicas: { 'downspout-webhook': 4, 'downspout-x': 4 } }));
    await canaried(base);
    const calls = kubectl.state.calls.map((call) => call.join(' '));
    const ended = calls.findIndex((call) => call.startsWith('delete deployment'));
    const restored = calls
      .slice(0, ended)
      .filter((call) => /^annotate scaledobject .*paused-replicas-$|^scale .*=4$/.test(call));
    expect(restored).toHaveLength(4);
  });

  test('and where somebody has paused it, it stays paused as it was', async () => {
    const base = await four7(4);
    kubectl.change((state) => ({ ...state, paused: { [MAIN]: 4 } }));
    const seen = whileWatched();
    await canaried(base);
    expect(seen).toMatchObject([{ workers: 3, paused: 3 }]);
    expect([kubectl.state.paused, kubectl.state.replicas?.[MAIN]]).toEqual([{ [MAIN]: 4 }, 4]);
  });

  test('a deploy without KEDA, after one that was killed while it was paused, does not leave it so', async () => {
    const base = await four7(4);
    watch.haltAt = 'replaced webhook';
    const dies: typeof kubectl.execute = (command, args, options) =>
      args.some((arg) => arg.endsWith('/paused-replicas-'))
        ? Promise.reject(new Error('SIGKILL'))
        : kubectl.execute(command, args, options);
    await canaried(base, { execute: dies }).catch(() => undefined);
    expect(kubectl.state.paused).toEqual({ [MAIN]: 3 });
    watch.haltAt = null;
    await canaried(base, { without: ['keda'], unfinished: [releaseOf(8, base)] });
    expectWhole('8');
  });

  test('one that does not become ready fails the release', async () => {
    const base = await four7(4);
    kubectl.change((state) => ({ ...state, broken: [CANARY] }));
    await expect(canaried(base)).rejects.toThrow(LIVE_AGAIN);
    expectWhole('7');
  });

  test('one that cannot be ended leaves the release without an outcome', async () => {
    const base = await four7(8);
    watch.haltAt = 'replaced webhook';
    const refuses: typeof kubectl.execute = (command, args, options) =>
      args.includes('delete') ? Promise.reject(new UserError('forbidden')) : kubectl.execute(command, args, options);
    await expect(canaried(base, { execute: refuses })).rejects.toThrow(GoingBackFailed);
  });

  test('those of a deploy that was killed at any call are gone after the next one, whether it has some or fails', async () => {
    const base = await four7(4);
    const before = kubectl.state;
    let kills = 0;
    for (const [canaries, fails] of [
      [1, false],
      [0, true],
    ] as const) {
      for (let call = 1; ; call++, kills++) {
        kubectl.change(() => before);
        if (!(await killedAt(call, true, { overlay: undefined, base, canaries: 1 }))) break;
        const broken = fails ? ['downspout-webhook', 'downspout-due'] : [];
        kubectl.change((state) => ({ ...state, broken }));
        const next = canaried(base, { canaries, unfinished: [releaseOf(8, base)] });
        if (fails) await next.catch(() => undefined);
        else await next;
        expectWhole(fails ? '7' : '8');
      }
    }
    expect(kills).toBeGreaterThan(40);
  }, 60_000);

  test('they may take as long to end as a worker of theirs', async () => {
    const base = topologyOf('{ due: {}, webhook: { replicas: 4, partitions: 8, timeout: 20min } }');
    await deploy(7, { overlay: undefined, base });
    await canaried(base);
    const ended = kubectl.state.calls.find(([verb, _kind, name]) => verb === 'delete' && name === CANARY);
    expect(Number(/--timeout=(\d+)s$/.exec(ended?.at(-1) ?? '')?.[1])).toBeGreaterThan(20 * 60);
  });

  test('one on a node that does not answer is waited for no longer, and stops neither this release nor the next one', async () => {
    const base = await four7(4);
    kubectl.change((state) => ({ ...state, stuck: [CANARY] }));
    await canaried(base);
    expect(releasesOf(MAIN)).toBe('8');
    expect(kubectl.state.paused).toEqual({});
    expect(steps).toContainEqual(
      expect.stringMatching(/--canary: a worker that was told to end \d+ s ago is waited for no longer$/),
    );
    // What ran before is restored once: the component may have been scaled since.
    kubectl.change((state) => ({ ...state, replicas: { ...state.replicas, [MAIN]: 3 } }));
    let nowMs = 0;
    const clock = { monotonic: () => nowMs, sleep: async (ms: number) => void (nowMs += ms) };
    await deploy(9, { overlay: undefined, base, live: 8, canaries: 1, clock });
    expect([releasesOf(MAIN), releasesOf(CANARY), kubectl.state.replicas?.[MAIN]]).toEqual(['9', '8', 3]);
    expect(steps).toContain(`rollout: ${CANARY} of an earlier release still ends, so this one has none`);
  });

  test.each<[why: string, webhook: string, live: number | null]>([
    ['a component with one partition', '{ replicas: 1, partitions: 1 }', 7],
    ['what runs for the first time', '{ replicas: 4, partitions: 4 }', null],
  ])('%s has none', async (_, webhook, live) => {
    const base = topologyOf(`{ due: { replicas: 1, partitions: 1 }, webhook: ${webhook} }`);
    if (live !== null) await deploy(live, { overlay: undefined, base });
    await canaried(base, { live });
    expect(kubectl.state.calls.filter((call) => call.includes('-f'))).toEqual([]);
    expect(releasesOf(MAIN)).toBe('8');
  });

  test('nor has a release that runs already', async () => {
    const base = await four7(8);
    await deploy(7, { overlay: undefined, base, canaries: 1, image: 'downspout:2' });
    expect(kubectl.state.calls.filter((call) => call.includes('-f'))).toEqual([]);
  });

  test('`kill` ends those that a deploy has left that was killed', async () => {
    const base = await four7(8);
    watch.haltAt = 'replaced webhook';
    const dies: typeof kubectl.execute = (command, args, options) =>
      args.includes('delete') ? Promise.reject(new Error('SIGKILL')) : kubectl.execute(command, args, options);
    await canaried(base, { execute: dies }).catch(() => undefined);
    expect(releasesOf(CANARY)).toBe('8');
    await endOnKubernetes('c0ffee', cluster());
    expect(kubectl.state.deployments).toEqual({});
  });

  test('their pods are in no selector of the component, have a NetworkPolicy, and are found by figures and by `kill`', async () => {
    const base = await four7(8);
    watch.haltAt = 'replaced webhook';
    await expect(canaried(base, { namespace: 'messages' })).rejects.toThrow(Halted);
    const text = readFileSync(join(folder, 'manifests', 'canary', 'webhook.yaml'), 'utf8');
    const [deployment, policy, ...others] = parseAllDocuments(text).map((one) => one.toJS() as object);
    const own = expect.objectContaining({ 'app.kubernetes.io/component': 'webhook.canary' });
    expect(others).toEqual([]);
    expect(deployment).toMatchObject({
      kind: 'Deployment',
      metadata: { name: CANARY, labels: expect.objectContaining({ 'downspout/deployment': 'c0ffee' }) },
      spec: {
        selector: { matchLabels: own },
        template: { metadata: { labels: expect.objectContaining(WORKER_LABELS) } },
      },
    });
    expect(deployment).toMatchObject({ spec: { template: { metadata: { labels: own } } } });
    expect(policy).toMatchObject({ kind: 'NetworkPolicy', spec: { podSelector: { matchLabels: own } } });
  });
});

test('what is deployed again has to be where the workers are that run', async () => {
  await expect(deploy(8, { live: 7, mustRun: true })).rejects.toThrow(
    /finds no worker of release 7\. Give --namespace/,
  );
  expect(kubectl.state.deployments).toEqual({});
  await deploy(7);
  await deploy(8, { live: 7, mustRun: true });
  expect(running('downspout-due')).toContain('--release=8');
});

describe('what is deployed again does without the operators that what runs does without', () => {
  test.each([
    ['keda', 'ScaledObject', 'PodMonitor'],
    ['prometheus', 'PodMonitor', 'ScaledObject'],
  ] as const)('%s was left out', async (operator, without, has) => {
    await deploy(7, { without: [operator] });
    await again();
    expect(manifests()).not.toContain(`kind: ${without}`);
    expect(manifests()).toContain(`kind: ${has}`);
  });

  test('the cluster does not know what is of it', async () => {
    await deploy(7, { without: ['keda'] });
    kubectl.change((state) => ({ ...state, refused: 'ScaledObject' }));
    await again();
    expect(running('downspout-webhook')).toContain('--release=8');
  });

  test('what is named as left out is not asked for, because not everybody may', async () => {
    await deploy(7, { without: ['keda'] });
    const mayNotSee: typeof kubectl.execute = (command, args, options) =>
      args.includes('scaledobject')
        ? Promise.reject(new UserError('scaledobjects.keda.sh is forbidden'))
        : kubectl.execute(command, args, options);
    await deploy(8, { live: 7, mustRun: true, without: ['keda'], execute: mayNotSee });
    expect(running('downspout-webhook')).toContain('--release=8');
  });

  test('and has those that what runs has', async () => {
    await deploy(7);
    await again();
    expect(manifests()).toContain('kind: ScaledObject');
    expect(manifests()).toContain('kind: PodMonitor');
  });
});

test('a first rollout that fails has nothing to go back to, so its workers end', async () => {
  kubectl.change((state) => ({ ...state, broken: ['downspout-due'] }));
  await expect(deploy(1)).rejects.toThrow(/Nothing ran before/);
  expect(kubectl.state.calls.filter(([, what]) => what === 'undo')).toEqual([]);
  expect(kubectl.state.deployments).toEqual({});
});

test('a component that is new in a release that fails ends', async () => {
  await deploy(7);
  const more = topologyOf('{ webhook: {}, sms: {} }');
  kubectl.change((state) => ({ ...state, broken: ['downspout-webhook'] }));
  await expect(deploy(8, { overlay: undefined, base: more })).rejects.toThrow(LIVE_AGAIN);
  expect(Object.keys(kubectl.state.deployments).toSorted()).toEqual(['downspout-due', 'downspout-webhook']);
});

describe('5. Workers of components that the release does not have end with all that belongs to them, whichever release has left them', () => {
  const less = { overlay: undefined, base: topologyOf('{ due: { replicas: 1 } }') };

  test('and what reads topology.yaml stays', async () => {
    await deploy(7);
    const own = { 'downspout-sms': ['{"args":["worker","--component=sms"]}'] };
    kubectl.change((state) => ({ ...state, deployments: { ...state.deployments, ...own } }));
    await deploy(8, less);
    expect(Object.keys(kubectl.state.deployments)).toEqual(['downspout-due', 'downspout-sms']);
    const deleted = kubectl.state.calls.filter(([verb]) => verb === 'delete').map(([, what, name]) => [what, name]);
    expect(deleted).toEqual([
      ['scaledobject', 'downspout-webhook'],
      ['deployment', 'downspout-webhook'],
      ['poddisruptionbudget,networkpolicy', 'downspout-webhook'],
    ]);
  });

  test('and where that is refused, the release has no outcome yet', async () => {
    await deploy(7);
    const isRefused: typeof kubectl.execute = (command, args, options) =>
      args.includes('delete') ? Promise.reject(new UserError('forbidden')) : kubectl.execute(command, args, options);
    await expect(deploy(8, { ...less, execute: isRefused })).rejects.toThrow(GoingBackFailed);
    expect(running('downspout-due')).toContain('--release=8');
  });
});

test('a cluster that cannot be reached is told in the words of kubectl, and nothing is rolled', async () => {
  kubectl.change((state) => ({ ...state, unreachable: true }));
  await expect(deploy(1)).rejects.toThrow(/The connection to the server .* was refused/);
  await expect(deploy(1)).rejects.toThrow(NothingChanged);
  expect(kubectl.state.calls.filter(([verb]) => verb === 'apply')).toEqual([]);
});

test('an environment without a file is refused before anything is done', async () => {
  await expect(deploy(1, { overlay: 'staging' })).rejects.toThrow('There is no topology.staging.yaml');
  expect(kubectl.state.calls).toEqual([]);
});

test('a namespace goes to every call and into the base', async () => {
  await deploy(1, { namespace: 'messages' });
  for (const call of kubectl.state.calls) expect(call[0]).toBe('--namespace=messages');
});
