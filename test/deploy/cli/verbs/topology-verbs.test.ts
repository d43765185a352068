import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { HostState } from '../../../../deploy/targets/local/host-state';
import { runCli } from '../../../support/stack/cli';
import { runHere } from '../../../support/stack/cli-here';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'downspout-verbs-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const path = () => join(folder, 'topology.yaml');
const write = (name: string, text: string) => writeFileSync(join(folder, name), text);

describe('a component that no channel has, and a package that is missing, are named by file and line', () => {
  const faults =
    /topology\.yaml:1: channels\.0 is "downspout-nope": this package is not installed here\.[^]*topology\.yaml:3: components\.webhok is \{\}: there is no such channel\. Did you mean webhook\?/;

  beforeEach(() => write('topology.yaml', 'channels: [downspout-nope]\ncomponents:\n  webhok: {}\n'));

  test.each([
    [['plan']],
    [['deploy', '--yes']],
    [['grants']],
    [['provision']],
    [['render', 'kubernetes']],
    [['render', 'compose']],
    [['render', 'systemd']],
  ])('%j', async (args) => {
    const out = args[0] === 'render' ? ['--out', join(folder, 'out')] : [];
    const { code, stdout, stderr } = await runHere([...args, ...out, '--topology', path()]);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(faults);
    expect(existsSync(join(folder, 'out'))).toBe(false);
  });

  test('up says so before it starts anything', async () => {
    const bin = join(folder, 'bin');
    mkdirSync(bin);
    writeFileSync(join(bin, 'docker'), `#!/bin/sh\necho started >> ${join(folder, 'started')}\nexit 1\n`);
    chmodSync(join(bin, 'docker'), 0o755);
    const { code, stderr } = await runCli(['up', '--docker'], { cwd: folder, environment: { PATH: bin } });
    expect([code, stderr]).toEqual([1, expect.stringMatching(faults)]);
    expect(existsSync(join(folder, 'started'))).toBe(false);
    expect(readdirSync(folder)).not.toContain('.downspout');
  });
});

test('grants and provision are about the environment that is named', async () => {
  write('topology.yaml', 'components: { webhook: {} }');
  write('topology.production.yaml', 'components: { webhook: null, x: {} }');
  const grants = await runHere(['grants', '--role', 'worker', '--topology', path(), '--environment', 'production']);
  expect(grants.code).toBe(0);
  expect(grants.stdout).toMatch(/due\.x\b/);
  expect(grants.stdout).not.toMatch(/due\.webhook/);
  const environment = { DOWNSPOUT_TOPOLOGY: path(), DOWNSPOUT_ENVIRONMENT: 'production' };
  const named = await runCli(['grants', '--role', 'worker'], { environment });
  expect(named.stdout).toBe(grants.stdout);
  const provision = await runHere(['provision', '--topology', path(), '--environment', 'staging']);
  expect(provision.stderr).toMatch(/topology\.staging\.yaml: .*there are files for production/);
}, 20_000);

const render = (...args: string[]) => runHere(['render', ...args, '--topology', path()]);

describe('render', () => {
  beforeEach(() => write('topology.yaml', 'components: { webhook: {} }'));

  test.each([['kubernetes'], ['compose'], ['systemd']])(
    '%s --dry-run names its files and writes none',
    async (target) => {
      const { code, stdout } = await render(target, '--out', join(folder, 'out'), '--dry-run');
      expect(code).toBe(0);
      expect(stdout).toMatch(/^These files would be written:\n.*out\/.*/);
      expect(readdirSync(folder)).toEqual(['topology.yaml']);
    },
  );

  test('systemd names the topology file and the environment that it was given', async () => {
    write('topology.production.yaml', 'components: { webhook: { timeout: 20s } }');
    const out = join(folder, 'out');
    await render('systemd', '--environment', 'production', '--out', out);
    expect(readFileSync(join(out, 'downspout-webhook@.service'), 'utf8')).toContain(
      `\nEnvironment=DOWNSPOUT_TOPOLOGY=${path()}\nEnvironment=DOWNSPOUT_ENVIRONMENT=production\n`,
    );
  });

  test.each([
    ['systemd', '--user', 'me\nExecStartPre=/bin/true'],
    ['systemd', '--settings', 'downspout.env'],
    ['systemd', '--settings', '/etc/downspout.env\\'],
    ['systemd', '--settings', '/etc/downspout.env '],
    ['systemd', '--status-host', '10.0.0.5 --x'],
    ['kubernetes', '--namespace', 'Our_Space'],
  ])('%s %s %j is refused as a command line that is wrong', async (...args) => {
    const { code, stdout, stderr } = await render(...args);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(/^error: option '--[\w-]+ <\w+>' argument '[^]*' is invalid\. Expected /);
  });

  test('compose --out says how its files are run, and the services find them there', async () => {
    const out = join(folder, 'foo');
    const { stdout, stderr } = await render('compose', '--out', out);
    expect(stdout).toContain(
      `\nRun it with: docker compose -f docker-compose.yml -f ${join(out, 'workers.yml')} up --detach\n`,
    );
    expect(stderr).toBe('');
    expect(readFileSync(join(out, 'workers.yml'), 'utf8')).toContain(`\${DOWNSPOUT_WORKERS:-${out}}/workers.env`);
  });

  test('compose names what a file of settings lacks that was written once', async () => {
    const out = join(folder, 'foo');
    mkdirSync(out);
    writeFileSync(join(out, 'workers.env'), '# WORKER_DATABASE_URL=\nKAFKA_BROKERS=kafka:9094\n');
    const { code, stderr } = await render('compose', '--out', out);
    expect([code, stderr]).toEqual([
      0,
      expect.stringContaining('workers.env lacks WORKER_DATABASE_URL, without which'),
    ]);
  });
});

test('supervisor --dry-run starts none and ends none', async () => {
  const state = join(folder, 'workers');
  const start = await runHere(['supervisor', '--detach', '--dry-run', '--state', state]);
  expect(start.stdout).toBe(`No supervisor runs here, and 0 workers run. One would be started in ${state}.\n`);
  const stop = await runHere(['supervisor', '--stop', '--dry-run', '--state', state]);
  expect(stop.stdout).toBe('No supervisor runs here.\n');
  expect(existsSync(state)).toBe(false);
});

test.each([
  [['--status-host', '10.0.0.5'], '--status-host'],
  [['--release-workers', '--status-host', '10.0.0.5'], '--release-workers and --status-host'],
])('supervisor --detach %j says that it changes nothing of one that runs', async (options, named) => {
  const state = join(folder, 'workers');
  new HostState(state, hostname()).write([]);
  const { code, stdout } = await runHere(['supervisor', '--detach', '--state', state, ...options]);
  expect([code, stdout]).toEqual([
    0,
    `A supervisor runs already (process ${process.pid}), of which ${named} changes nothing.\n`,
  ]);
});
