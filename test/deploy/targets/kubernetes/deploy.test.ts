import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deployToKubernetes, type KubernetesDeployment } from '../../../../deploy/targets/kubernetes/deploy';
import { readEnvironment } from '../../../../topology/settings/environment';
import { CommandDouble } from '../../../support/targets/double';
import { topologyOf } from '../../../support/targets/topologies';

interface Cluster {
  /** The templates that a Deployment has had. */
  deployments: Record<string, string[]>;
  broken: string[];
  unreachable: boolean;
  calls: string[][];
}

// A process for each call of the double.
jest.setTimeout(120_000);

let folder: string;
let kubectl: CommandDouble<Cluster>;
let steps: string[];

beforeEach(() => {
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

const deploy = (release: number, changed: Partial<KubernetesDeployment> = {}) =>
  deployToKubernetes({
    base: topologyOf(),
    overlays: new Map([['production', topologyOf('{ webhook: { replicas: 4 } }')]]),
    overlay: 'production',
    image: 'downspout:1',
    environment: readEnvironment({}, {}),
    release,
    folder: join(folder, 'manifests'),
    report: (step, text) => steps.push(`${step}: ${text}`),
    execute: kubectl.execute,
    ...changed,
  });
const running = (name: string) => kubectl.state.deployments[name]?.at(-1);

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
  expect(verbs).toEqual(['config', 'apply', 'rollout status', 'rollout status']);
  expect(kubectl.state.calls[1]).toContain(join(folder, 'manifests', 'overlays', 'production'));
});

test('2. When a rollout does not come to its end, every Deployment that was changed goes back to what ran before', async () => {
  await deploy(7);
  kubectl.change((cluster) => ({ ...cluster, broken: ['downspout-webhook'] }));
  await expect(deploy(8)).rejects.toMatchObject({
    name: 'UserError',
    message: expect.stringMatching(/The workers that ran before run again\.[^]*exceeded its progress deadline/),
  });
  for (const name of ['downspout-due', 'downspout-webhook']) expect(running(name)).toContain('--release=7');
  expect(steps).toContain('undo: downspout-due is what it was before');
  expect(steps).toContain('undo: downspout-webhook is what it was before');
});

test('3. It can be run again after it was interrupted: the cluster is asked for the same again', async () => {
  await deploy(7);
  await deploy(7);
  expect(kubectl.state.deployments['downspout-due']).toHaveLength(1);
  expect(kubectl.state.calls.filter(([, what]) => what === 'undo')).toEqual([]);
});

test('a first rollout that fails has nothing to go back to, and says so', async () => {
  kubectl.change((cluster) => ({ ...cluster, broken: ['downspout-due'] }));
  await expect(deploy(1)).rejects.toThrow(/Nothing ran before/);
  expect(kubectl.state.calls.filter(([, what]) => what === 'undo')).toEqual([]);
});

test('a cluster that cannot be reached is told in the words of kubectl, and nothing is rolled', async () => {
  kubectl.change((cluster) => ({ ...cluster, unreachable: true }));
  await expect(deploy(1)).rejects.toThrow(/The connection to the server .* was refused/);
  expect(kubectl.state.calls.map(([verb]) => verb)).toEqual(['config', 'apply']);
});

test('an environment without a file is refused before anything is done', async () => {
  await expect(deploy(1, { overlay: 'staging' })).rejects.toThrow('There is no topology.staging.yaml');
  expect(kubectl.state.calls).toEqual([]);
});

test('a namespace goes to every call and into the base', async () => {
  await deploy(1, { namespace: 'messages' });
  for (const call of kubectl.state.calls) expect(call[0]).toBe('--namespace=messages');
});
