import { existsSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { engineOf } from '../../../deploy/cli/engines';
import { Output } from '../../../deploy/console/output';
import { readEnvironment } from '../../../topology/settings/environment';
import { nowhere } from '../../support/stack/cli';
import { CommandDouble } from '../../support/targets/double';
import { topologyOf } from '../../support/targets/topologies';

interface Engine {
  readonly containers: readonly { readonly command: readonly string[] }[];
  readonly broken: readonly string[];
  readonly calls: readonly string[][];
  readonly fewest: object;
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

test.each([
  ['compose', undefined],
  ['below/here', 'below/here'],
])(
  'a release on compose is run from the folder %s of the current one',
  async (path, out) => {
    const docker = new CommandDouble<Engine>('docker', 'ENGINE', folder, {
      containers: [],
      broken: [],
      calls: [],
      fewest: {},
    });
    process.env = { ...before.env, ...docker.variables };
    const output = new Output({ json: true });
    jest.spyOn(output, 'note').mockImplementation(() => undefined);
    const environment = readEnvironment({}, nowhere);
    const context = {
      output,
      dryRun: false,
      settings: { environment, fallback: {}, given: new Set<string>(), stackFolder: null },
    };
    const { specification, settings } = topologyOf('{ due: { replicas: 1 } }');
    const file = {
      specification: specification as Record<string, unknown>,
      settings,
      files: [join(folder, 'topology.yaml')],
    };
    const options = { image: 'downspout:1', ...(out === undefined ? {} : { out }) };
    const engine = engineOf('compose', options, file, context, 'ab'.repeat(16));
    await engine.deploy(8, null, { signal: new AbortController().signal, mayGoOn: async () => undefined }, []);
    expect(docker.state.containers.map(({ command }) => command.at(-1))).toEqual(['--release=8']);
    expect(existsSync(join(folder, path, 'workers.yml'))).toBe(true);
  },
  60_000,
);
