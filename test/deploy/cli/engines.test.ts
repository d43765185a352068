import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import { engineOf } from '../../../deploy/cli/engines';
import { Output } from '../../../deploy/console/output';
import { writeStarter } from '../../../deploy/starter/starter-folder';
import type { EngineRelease } from '../../../deploy/targets/engine';
import { readEnvironment } from '../../../topology/settings/environment';
import type { ReadTopology } from '../../../topology/settings/topology-settings';
import { nowhere } from '../../support/stack/cli';
import { CommandDouble } from '../../support/targets/double';
import { topologyOf } from '../../support/targets/topologies';
import { WatchDouble } from '../../support/targets/watching';

interface Docker {
  readonly containers: readonly { readonly command: readonly string[]; readonly project?: string }[];
  readonly broken: readonly string[];
  readonly calls: readonly string[][];
  readonly fewest: object;
}

interface Kubectl {
  readonly deployments: Readonly<Record<string, readonly string[]>>;
  readonly broken: readonly string[];
  readonly unreachable: boolean;
  readonly calls: readonly string[][];
}

const before = { cwd: process.cwd(), env: process.env };
let folder: string;

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'downspout-engines-')));
  process.chdir(folder);
});
afterEach(() => {
  process.chdir(before.cwd);
  process.env = before.env;
  rmSync(folder, { recursive: true, force: true });
});

/** What a verb has at hand whose notes nobody reads. */
function contextHere(variables: Readonly<Record<string, string>>) {
  process.env = { ...before.env, ...variables };
  const output = new Output({ json: true });
  jest.spyOn(output, 'note').mockImplementation(() => undefined);
  const environment = readEnvironment({}, nowhere);
  const settings = { environment, fallback: {}, given: new Set<string>(), stackFolder: null };
  return { output, dryRun: false, settings };
}
const dockerHere = () =>
  new CommandDouble<Docker>('docker', 'ENGINE', folder, { containers: [], broken: [], calls: [], fewest: {} });
const releaseOf = (number: number, components: string) => ({
  number,
  specification: topologyOf(components).specification,
  image: `downspout:${number}`,
});
const ALONE = '{ due: { replicas: 1 } }';
const rolloutOf = (release: EngineRelease, live: EngineRelease | null = null) => ({
  release,
  live,
  unfinished: [],
  isBack: false,
  guard: { signal: new AbortController().signal, mayGoOn: async () => undefined },
  watch: new WatchDouble(),
});
const fileOf = (components: string) =>
  ({ ...topologyOf(components), files: [join(folder, 'topology.yaml')] }) as unknown as ReadTopology;
const idOf = async () => 'ab'.repeat(16);

test.each([
  ['compose', undefined],
  ['below/here', 'below/here'],
])(
  'a release on compose is run from the folder %s of the current one',
  async (path, out) => {
    const docker = dockerHere();
    const options = out === undefined ? {} : { out };
    const engine = engineOf('compose', options, contextHere(docker.variables), idOf, fileOf(ALONE));
    await engine.deploy(rolloutOf(releaseOf(8, ALONE)));
    expect(docker.state.containers.map(({ command }) => command.at(-1))).toEqual(['--release=8']);
    expect(existsSync(join(folder, path, 'workers.yml'))).toBe(true);
  },
  60_000,
);

test('in a folder that init has made the containers join the project of its docker-compose.yml', async () => {
  const docker = dockerHere();
  writeStarter({ folder, force: false, dryRun: false });
  const own = join(folder, 'docker-compose.yml');
  const { name } = parse(readFileSync(own, 'utf8')) as { name: string };
  const engine = engineOf('compose', {}, contextHere(docker.variables), idOf, fileOf(ALONE));
  await engine.deploy(rolloutOf(releaseOf(8, ALONE)));
  expect(docker.state.containers.map(({ project }) => project)).toEqual([name]);
  const composed = docker.state.calls.filter(([verb]) => verb === 'compose');
  expect(new Set(composed.map((call) => call[call.indexOf('--file') + 1]))).toEqual(new Set([own]));
  expect(new Set(composed.map((call) => call[call.indexOf('--project-directory') + 1]))).toEqual(new Set([folder]));
}, 60_000);

test('a release that is deployed again on kubernetes is what it says, whatever the topology file says by now, with the settings of its environment', async () => {
  const kubectl = new CommandDouble<Kubectl>('kubectl', 'CLUSTER', folder, {
    deployments: {},
    broken: [],
    unreachable: false,
    calls: [],
  });
  writeFileSync(join(folder, 'topology.yaml'), 'components: { webhook: { replicas: 2 } }');
  writeFileSync(join(folder, 'topology.production.yaml'), 'components: { webhook: { replicas: 4 } }');
  const context = contextHere(kubectl.variables);
  const options = { environment: 'production', without: ['keda'] as const };
  const first = releaseOf(7, '{ webhook: { replicas: 4 } }');
  const fromFile = engineOf('kubernetes', options, context, idOf, fileOf('{ webhook: { replicas: 4 } }'));
  await fromFile.deploy(rolloutOf(first));
  const settings = join(folder, 'kubernetes', 'overlays', 'production', 'settings.env');
  writeFileSync(settings, 'LOG_LEVEL=debug\n');
  writeFileSync(join(folder, 'topology.yaml'), 'no topology any more');
  const again = engineOf('kubernetes', options, context, idOf);
  const scaled = '{ due: { replicas: 3 }, webhook: { replicas: 5 } }';
  await again.deploy(rolloutOf({ ...releaseOf(8, scaled), image: 'downspout:7' }, first));
  const replicas = (name: string) => {
    const documents = parseAllDocuments(readFileSync(join(folder, 'kubernetes', 'base', name), 'utf8'));
    const [deployment] = documents.map((one) => one.toJS() as { spec: { replicas: number } });
    return deployment?.spec.replicas;
  };
  expect([replicas('worker-due.yaml'), replicas('worker-webhook.yaml')]).toEqual([3, 5]);
  expect(readFileSync(settings, 'utf8')).toBe('LOG_LEVEL=debug\n');
  expect(kubectl.state.deployments['downspout-webhook']?.at(-1)).toContain('--release=8');
  const path = join(folder, 'kubernetes', 'overlays', 'production');
  const applied = kubectl.state.calls.filter(([verb]) => verb === 'apply');
  expect(new Set(applied.map((call) => call[call.indexOf('-k') + 1]))).toEqual(new Set([path]));
  const elsewhere = engineOf('kubernetes', { ...options, namespace: 'other' }, context, idOf);
  kubectl.change((state) => ({ ...state, deployments: {} }));
  await expect(elsewhere.deploy(rolloutOf(first, first))).rejects.toThrow('finds no worker of release 7');
}, 60_000);

test.each([
  ['compose', 'workers.env', {}],
  ['kubernetes', join('base', 'settings.env'), {}],
  ['kubernetes', join('overlays', 'production', 'settings.env'), { environment: 'production' }],
] as const)(
  'what is deployed again on %s has to be where its %s is: nothing is written out of the settings of whoever does it',
  (target, file, options) => {
    const settings = join(folder, target, file);
    mkdirSync(join(folder, target, 'base'), { recursive: true });
    if ('environment' in options) writeFileSync(join(folder, target, 'base', 'settings.env'), '');
    const context = contextHere({});
    const there = readdirSync(folder, { recursive: true });
    expect(() => engineOf(target, options, context, idOf)).toThrow(
      `There is no ${settings}. Run this where \`deploy\` was run, or give --out as it had it.`,
    );
    expect(readdirSync(folder, { recursive: true })).toEqual(there);
    mkdirSync(dirname(settings), { recursive: true });
    writeFileSync(settings, '');
    expect(() => engineOf(target, options, context, idOf)).not.toThrow();
  },
);
