import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GoingBackFailed, NothingChanged } from '../../../../deploy/targets/engine';
import {
  deployToKubernetes,
  endOnKubernetes,
  type KubernetesDeployment,
  restartOnKubernetes,
} from '../../../../deploy/targets/kubernetes/deploy';
import { UserError } from '../../../../topology/core/errors';
import { readEnvironment } from '../../../../topology/settings/environment';
import { CommandDouble } from '../../../support/targets/double';
import { topologyOf } from '../../../support/targets/topologies';

interface Cluster {
  /** The templates that a Deployment has had. */
  deployments: Record<string, string[]>;
  broken: string[];
  refused?: string;
  unreachable: boolean;
  calls: string[][];
}

let folder: string;
let kubectl: CommandDouble<Cluster>;
let steps: string[];
let interrupt: AbortController;

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
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const guardOf = ({ signal }: AbortController) => ({ signal, mayGoOn: async () => signal.throwIfAborted() });
const cluster = () => ({
  guard: guardOf(interrupt),
  report: (step: string, text: string) => steps.push(`${step}: ${text}`),
  execute: kubectl.execute,
});
/** A command that may change one thing and is killed then. */
const onlyOnce = () => {
  let times = 0;
  return async () => {
    if (times++ > 0) throw new Error('SIGKILL');
  };
};
/** Release 7 ran before, if anything. */
const deploy = (release: number, changed: Partial<KubernetesDeployment> = {}) =>
  deployToKubernetes({
    base: topologyOf(),
    overlays: new Map([['production', topologyOf('{ webhook: { replicas: 4 } }')]]),
    overlay: 'production',
    image: 'downspout:1',
    deploymentId: 'c0ffee',
    environment: readEnvironment({}, {}),
    release,
    live: kubectl.state.deployments['downspout-due'] === undefined ? null : 7,
    folder: join(folder, 'manifests'),
    ...cluster(),
    ...changed,
  });
const running = (name: string) => kubectl.state.deployments[name]?.at(-1);

/** A deploy that is killed while it waits for the rollout. */
async function killed(release: number, live: number | null = 7): Promise<void> {
  const dies: typeof kubectl.execute = (command, args, options) =>
    args.includes('status') ? Promise.reject(new Error('SIGKILL')) : kubectl.execute(command, args, options);
  await deploy(release, { live, execute: dies, guard: { ...guardOf(interrupt), mayGoOn: onlyOnce() } }).catch(
    () => undefined,
  );
  expect(running('downspout-webhook')).toContain(`--release=${release}`);
}

test('1. It returns when every worker of the new release is ready and the old ones are gone', async () => {
  await deploy(7);
  expect(running('downspout-due')).toContain('--release=7');
  expect(running('downspout-webhook')).toContain('--release=7');
  expect(steps).toEqual([
    'cluster: kubectl talks to a-cluster',
    expect.stringMatching(/^manifests: \d+ files written below /),
    'rollout: downspout-due is rolled out',
    'rollout: downspout-webhook is rolled out',
  ]);
  const verbs = kubectl.state.calls.map(([verb, what]) => (verb === 'rollout' ? `rollout ${what}` : verb));
  expect(verbs).toEqual(['config', 'get', 'apply', 'rollout status', 'rollout status', 'get']);
  expect(kubectl.state.calls[2]).toContain(join(folder, 'manifests', 'overlays', 'production'));
});

const LIVE_AGAIN = /The workers that ran before run again\.[^]*exceeded its progress deadline/;

describe('2. When a rollout does not come to its end, every Deployment that has the release goes back to the one that ran before', () => {
  test('of those that it has changed', async () => {
    await deploy(7);
    kubectl.change((state) => ({ ...state, broken: ['downspout-webhook'] }));
    await expect(deploy(8)).rejects.toMatchObject({
      name: 'UserError',
      message: expect.stringMatching(LIVE_AGAIN),
    });
    for (const name of ['downspout-due', 'downspout-webhook']) expect(running(name)).toContain('--release=7');
    expect(steps).toContain('undo: downspout-due is what it was before');
    expect(steps).toContain('undo: downspout-webhook is what it was before');
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
    kubectl.change((state) => ({ ...state, refused: 'PodMonitor' }));
    await expect(deploy(8)).rejects.toThrow(/run again\.[^]*no matches for kind "PodMonitor"/);
    for (const name of ['downspout-due', 'downspout-webhook']) expect(running(name)).toContain('--release=7');
  });

  test('also when only settings are new, and not what they did not change', async () => {
    await deploy(7);
    kubectl.change((state) => ({ ...state, refused: 'PodMonitor' }));
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
  expect(deleted).toEqual([['delete', 'pod', expect.stringMatching(/name=downspout.*component=due$/)]]);
  expect(steps.at(-1)).toBe('rollout: downspout-due is restarted');
});

test('all workers end, also where the cluster has no KEDA', async () => {
  await deploy(7);
  await endOnKubernetes('c0ffee', cluster());
  expect(kubectl.state.deployments).toEqual({});
});

test.each(['production', undefined])('no worker of another deployment ends (overlay %s)', async (overlay) => {
  await deploy(7, { overlay });
  await endOnKubernetes('beef', cluster());
  expect(Object.keys(kubectl.state.deployments)).toEqual(['downspout-due', 'downspout-webhook']);
});

test('3. It can be run again after it was interrupted: the cluster is asked for the same again', async () => {
  await deploy(7);
  await deploy(7);
  expect(kubectl.state.deployments['downspout-due']).toHaveLength(1);
  expect(kubectl.state.calls.filter(([, what]) => what === 'undo')).toEqual([]);
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
  expect(Object.keys(kubectl.state.deployments)).toEqual(['downspout-due', 'downspout-webhook']);
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
