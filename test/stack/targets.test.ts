import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { wantPlacement } from '../../connectors/mysql/operators/placements';
import { Pool } from '../../connectors/mysql/sql/pool';
import { readDeployment } from '../../connectors/mysql/workers/deployment';
import { systemClock } from '../../topology/core/clock';
import { operatorUrl } from '../../topology/settings/connections';
import { runCli, variablesOf } from '../support/stack/cli';
import { runHere } from '../support/stack/cli-here';
import { deprovision } from '../support/stack/removal';
import { freshEnvironment } from '../support/stack/stack';
import { CommandDouble } from '../support/targets/double';
import type { HistoryRow } from './rolled';

// Every command is a process that sees a change come through CDC, and starts one for each call of the double.
jest.setTimeout(300_000);

const environment = freshEnvironment();
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'downspout-targets-'));
});
afterAll(async () => {
  await deprovision(environment);
  rmSync(folder, { recursive: true, force: true });
});

function topology(components: string): void {
  writeFileSync(join(folder, 'topology.yaml'), `components: ${components}\n`);
}

const cli = (args: readonly string[], variables: Readonly<Record<string, string>> = {}) =>
  runCli(args, { environment: { ...variablesOf(environment), ...variables }, cwd: folder });

/** The same for verbs that only look. */
const looked = (args: readonly string[]) => runHere(args, variablesOf(environment), { cwd: folder });

type History = readonly (HistoryRow & {
  readonly target: string;
  readonly image: string | null;
  readonly environment: string;
})[];

async function history(): Promise<History> {
  return (JSON.parse((await looked(['history', '--json'])).stdout) as { releases: History }).releases;
}

async function newest(): Promise<History[number]> {
  return (await history())[0] as History[number];
}

async function withPool<T>(work: (pool: Pool) => Promise<T>): Promise<T> {
  const pool = Pool.open(operatorUrl(environment), { clock: systemClock, size: 1 });
  try {
    return await work(pool);
  } finally {
    await pool.close();
  }
}

const deploymentId = async () => (await withPool(readDeployment)).id;

interface Cluster {
  deployments: Record<string, string[]>;
  broken: string[];
  unreachable: boolean;
  calls: string[][];
}

interface Engine {
  containers: { id: string; service: string; command: string[] }[];
  broken: string[];
  calls: string[][];
  fewest: Record<string, number>;
}

test('deploy --target kubernetes makes everything ready, writes a release, and follows the rollout; one that fails leaves the release before it', async () => {
  const cluster: Cluster = { deployments: {}, broken: [], unreachable: false, calls: [] };
  const kubectl = new CommandDouble<Cluster>('kubectl', 'CLUSTER', folder, cluster);
  const roll = ['--yes', '--pause', '0s', '--out', join(folder, 'kubernetes')];
  const args = ['deploy', '--target', 'kubernetes', ...roll, '--image'];
  const deploy = (image: string) => cli([...args, image], kubectl.variables);
  const running = (name: string) => kubectl.state.deployments[name]?.at(-1);

  topology('{ due: { replicas: 1, partitions: 2 }, webhook: { replicas: 1, partitions: 2 } }');
  const first = await deploy('downspout:1');
  expect(first).toMatchObject({ code: 0, stdout: expect.stringMatching(/^Release \d+ is live\.$/m) });
  expect(first.stderr).toMatch(
    /topics: .*\(2\)[^]*changes: a change came through[^]*rollout: downspout-webhook is rolled out/,
  );
  const one = await newest();
  expect(one).toMatchObject({ outcome: 'live', target: 'kubernetes', image: 'downspout:1' });
  expect(running('downspout-due')).toContain(`--release=${one.number}`);
  // The deployment was joined by the deploy, which drew its id.
  expect(readFileSync(join(folder, 'kubernetes', 'base', 'kustomization.yaml'), 'utf8')).toContain(
    await deploymentId(),
  );

  kubectl.change((state) => ({ ...state, broken: ['downspout-webhook'] }));
  const failed = await deploy('downspout:2');
  expect(failed.code).toBe(1);
  expect(failed.stdout).toMatch(
    /failed: The rollout failed\. The workers that ran before run again\.[^]*Release \d+ runs\./,
  );
  expect(await newest()).toMatchObject({ outcome: 'failed', image: 'downspout:2' });
  expect(running('downspout-due')).toContain(`--release=${one.number}`);

  const scale = await cli(['scale', 'webhook=2', ...roll], kubectl.variables);
  expect(scale).toMatchObject({ code: 0, stdout: expect.stringMatching(/^Release \d+ is live\.\n.*differs now/m) });
  const scaled = await newest();
  expect(scaled).toMatchObject({ outcome: 'live', target: 'kubernetes', image: 'downspout:1' });
  expect(running('downspout-webhook')).toContain(`--release=${scaled.number}`);
  // Nobody sends here, so the judge has nothing against the canary.
  const watched = ['--canary', '1', '--pause', '1s'];
  const rollback = await cli(['rollback', ...roll, ...watched], kubectl.variables);
  expect(rollback).toMatchObject({ code: 0 });
  expect(rollback.stderr).toMatch(
    /rollout: downspout-webhook--canary: 1 new worker runs beside 1 old one\nwatching the workers of webhook for 1 s[^]*downspout-webhook is rolled out\nrollout: downspout-webhook--canary is ended/,
  );
  expect(Object.keys(kubectl.state.deployments).toSorted()).toEqual(['downspout-due', 'downspout-webhook']);
  const back = await newest();
  expect(back).toMatchObject({ outcome: 'live', reason: `rollback to ${one.number}`, image: 'downspout:1' });
  expect(running('downspout-webhook')).toContain(`--release=${back.number}`);
  const differs = JSON.parse(
    (await looked(['diff', String(one.number), String(back.number), '--json'])).stdout,
  ) as object;
  expect(differs).toMatchObject({ changes: [] });
  const { stdout: audit } = await looked(['audit', '--verb', 'rollback', '--json']);
  expect(audit).toContain(`release ${back.number}`);
  kubectl.change((state) => ({ ...state, deployments: {} }));
  const lost = await cli(['rollback', ...roll], kubectl.variables);
  expect(lost).toMatchObject({ code: 1, stdout: expect.stringContaining('kubectl finds no worker of release') });

  for (const verb of [['restart', 'webhook'], ['restart', '--dry-run'], ['rebalance'], ['logs', 'webhook']]) {
    expect(await cli(verb, kubectl.variables)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(new RegExp(`Release ${back.number} runs on kubernetes`)),
    });
  }
});

test('a deploy that forgets the environment of what runs is refused, and what is deployed again has the one that it had', async () => {
  const cluster: Cluster = { deployments: {}, broken: [], unreachable: false, calls: [] };
  const kubectl = new CommandDouble<Cluster>('kubectl', 'CLUSTER', folder, cluster);
  const roll = ['--yes', '--pause', '0s', '--out', join(folder, 'kubernetes')];
  const run = (...args: readonly string[]) => cli([...args, ...roll], kubectl.variables);
  const deploy = (...args: readonly string[]) => run('deploy', '--target', 'kubernetes', ...args);
  const overlay = join(folder, 'topology.production.yaml');
  writeFileSync(overlay, 'components: { webhook: { timeout: 9s } }\n');
  const production = ['--environment', 'production'];
  expect(await deploy(...production)).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/Nothing was changed\. Release \d+ is of topology\.yaml alone, .*production/),
  });
  expect(await deploy(...production, '--change-environment')).toMatchObject({ code: 0 });
  expect(await newest()).toMatchObject({ outcome: 'live', environment: 'production' });
  const forgets = [await deploy(), await cli(['plan'])];
  expect(forgets.map(({ code }) => code)).toEqual([1, 1]);
  for (const { stdout, stderr } of forgets) expect(stdout + stderr).toMatch(/`--environment production`; or add/);
  expect(await run('rollback', '--environment', 'staging')).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/DOWNSPOUT_ENVIRONMENT names staging\. Leave that out/),
  });
  kubectl.change((state) => ({ ...state, calls: [] }));
  expect(await run('scale', 'webhook=2')).toMatchObject({ code: 0 });
  expect(await newest()).toMatchObject({ outcome: 'live', environment: 'production' });
  const paths = kubectl.state.calls
    .filter(([verb]) => verb === 'apply')
    .map((call) => call[call.indexOf('-k') + 1] as string);
  expect(new Set(paths)).toEqual(new Set([join(folder, 'kubernetes', 'overlays', 'production')]));
  rmSync(overlay);
});

test('verbs that look say the same on every machine: what the release says, whatever the file there says', async () => {
  const number = (await history()).find(({ outcome }) => outcome === 'live')?.number;
  expect(number).toBeDefined();
  topology('{ x: {} }');
  const json = async (args: readonly string[]) => JSON.parse((await looked([...args, '--json'])).stdout) as never;
  const lag: readonly { readonly component: string }[] = await json(['lag']);
  expect(new Set(lag.map(({ component }) => component))).toEqual(new Set(['due', 'webhook']));
  const status: { readonly database: { readonly deployment: object } } = await json(['status']);
  expect(status.database.deployment).toMatchObject({ topology: `release ${number}` });
  expect(await looked(['drain', 'x', '--dry-run'])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining(`There is no bolt "x" in release ${number}. It has: webhook.`),
  });
  expect(await looked(['drain', 'webhook', '--dry-run'])).toMatchObject({ code: 0 });
});

test('workers of another target are not left behind: deploy is refused, and kill ends them first', async () => {
  const deployments = {
    'downspout-due': [`downspout/deployment: ${await deploymentId()}`],
    'downspout-of-others': ['downspout/deployment: c0ffee'],
  };
  const cluster: Cluster = { deployments, broken: [], unreachable: false, calls: [] };
  const kubectl = new CommandDouble<Cluster>('kubectl', 'CLUSTER', folder, cluster);
  expect(await cli(['deploy', '--yes'], kubectl.variables)).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/runs on the target kubernetes[^]*downspout kill/),
  });
  kubectl.change((state) => ({ ...state, unreachable: true }));
  const unreachable = await cli(['kill', '-w', '1', '--yes'], kubectl.variables);
  expect(unreachable).toMatchObject({ code: 1, stdout: expect.stringMatching(/Not everything has ended/) });
  kubectl.change((state) => ({ ...state, unreachable: false }));
  expect(await cli(['kill', '-w', '1', '--yes'], kubectl.variables)).toMatchObject({ code: 0 });
  expect(Object.keys(kubectl.state.deployments)).toEqual(['downspout-of-others']);
});

test('deploy --target compose replaces containers one by one, and not while workers run on the target local', async () => {
  const engine: Engine = { containers: [], broken: [], calls: [], fewest: {} };
  const docker = new CommandDouble<Engine>('docker', 'ENGINE', folder, engine);
  // Without --out: below the folder that the command is run in.
  const args = ['deploy', '--target', 'compose', '--yes', '--pause', '0s', '--image', 'downspout:1'];
  topology('{ due: { replicas: 1, partitions: 2 }, webhook: { replicas: 2, partitions: 2 } }');
  expect(await cli(args, docker.variables)).toMatchObject({ code: 0 });
  const one = await newest();
  expect(one).toMatchObject({ outcome: 'live', target: 'compose', image: 'downspout:1' });
  const commands = docker.state.containers.map(({ service, command }) => `${service} ${command.at(-1)}`);
  const release = `--release=${one.number}`;
  // Bolts first: they read what the spouts before write.
  expect(commands).toEqual([`worker-webhook ${release}`, `worker-webhook ${release}`, `worker-due ${release}`]);

  const ids = () => docker.state.containers.map(({ id }) => id);
  const before = ids();
  expect(await cli(['scale', 'webhook=1', '--yes', '--pause', '0s'], docker.variables)).toMatchObject({ code: 0 });
  expect(ids()).toHaveLength(2);
  expect(before).toEqual(expect.arrayContaining(ids()));
  expect(await cli(['rollback', '--yes', '--pause', '0s'], docker.variables)).toMatchObject({ code: 0 });
  expect(docker.state.containers.map(({ command }) => command.at(-1))).toEqual(Array(3).fill(release));
  const elsewhere = await cli(['rollback', '--yes', '--out', join(folder, 'nowhere')], docker.variables);
  expect(elsewhere).toMatchObject({ code: 1, stderr: expect.stringMatching(/There is no .*nowhere.*workers\.env/) });

  await withPool((pool) => wantPlacement(pool, { component: 'due', replica: 1 }, one.number));
  const refused = await cli(args, docker.variables);
  expect(refused).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/to run on the target local[^]*downspout kill/),
  });
});
