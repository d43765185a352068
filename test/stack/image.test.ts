import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { DockerfileParser } from 'dockerfile-ast';
import { parse, parseAllDocuments } from 'yaml';
import { freePort } from '../../deploy/stack/host/ports';
import { componentFile } from '../../deploy/targets/kubernetes/names';
import { renderKubernetes } from '../../deploy/targets/kubernetes/render';
import { writeRendering } from '../../deploy/targets/rendering';
import { systemClock } from '../../topology/core/clock';
import { packageRoot, packageVersion } from '../../topology/settings/package';
import { variablesOf } from '../support/stack/cli';
import { freshWorld, testSettings, type World } from '../support/stack/stack';
import { until } from '../support/until';

const COMPONENTS = '{ due: { replicas: 1 }, webhook: { replicas: 1, timeout: 2s } }';

/** What of a Deployment says how its worker is started and asked. */
interface Container {
  readonly args: readonly string[];
  readonly env: readonly {
    name: string;
    value?: string;
    valueFrom?: { secretKeyRef: { key: string; optional: boolean } };
  }[];
  readonly envFrom: readonly { configMapRef: { name: string } }[];
  readonly ports: readonly { name: string; containerPort: number }[];
  readonly startupProbe: Probe;
  readonly readinessProbe: Probe;
  readonly volumeMounts: readonly { name: string; mountPath: string }[];
}
interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string };
}
interface Deployment {
  readonly kind: string;
  readonly spec: {
    readonly template: {
      readonly spec: { readonly terminationGracePeriodSeconds: number; readonly containers: readonly [Container] };
    };
  };
}

let root: string;
let image: string;
let world: World;
let running: ChildProcess[];

/** The package as it is packed, beside the packages that production needs, as the image has them under /app. */
function installImage(): string {
  const packed = spawnSync('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', root], {
    cwd: packageRoot(),
    encoding: 'utf8',
  });
  const [{ filename }] = JSON.parse(packed.stdout) as [{ filename: string }];
  spawnSync('tar', ['--extract', '--gzip', '--file', join(root, filename), '--directory', root]);
  const app = join(root, 'package');
  const listed = spawnSync('npm', ['ls', '--omit=dev', '--all', '--parseable'], {
    cwd: packageRoot(),
    encoding: 'utf8',
  });
  const folders = listed.stdout.trim().split('\n').slice(1);
  // A package inside of another's folder comes with it.
  const outer = folders.filter((one) => relative(packageRoot(), one).split('node_modules').length === 2);
  for (const from of outer) {
    const to = join(app, relative(packageRoot(), from));
    mkdirSync(dirname(to), { recursive: true });
    symlinkSync(from, to);
  }
  return app;
}

/** The command line that the image begins with, where it is on this machine. */
function entrypoint(): string[] {
  const dockerfile = DockerfileParser.parse(readFileSync(join(packageRoot(), 'deploy', 'Dockerfile'), 'utf8'));
  const [node, program] = JSON.parse(dockerfile.getENTRYPOINTs()[0]?.getArgumentsContent() as string) as [
    string,
    string,
  ];
  expect(node).toBe('node');
  return [program.replace('/app', image)];
}

const filesOf = (folder: string) => readdirSync(folder, { recursive: true, encoding: 'utf8' }).toSorted();

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'image-'));
  image = installImage();
  world = await freshWorld(testSettings(COMPONENTS));
}, 120_000);
afterAll(async () => {
  await world.close();
  rmSync(root, { recursive: true, force: true });
}, 60_000);
beforeEach(() => {
  running = [];
});
afterEach(() => {
  for (const child of running) child.kill('SIGKILL');
});

test('what is packed has what the image needs, and no tests', () => {
  const files = filesOf(image).filter((file) => !file.startsWith('node_modules'));
  expect(files).toEqual(expect.arrayContaining(['package.json', 'topology.yaml', 'dist/deploy/cli/downspout.js']));
  expect(files.filter((file) => file.startsWith('dist/test'))).toEqual([]);
  const said = spawnSync(process.execPath, [...entrypoint(), '--version'], { cwd: image, encoding: 'utf8', env: {} });
  expect(said).toMatchObject({ status: 0, stdout: `${packageVersion()}\n` });
});

test.each(['due', 'webhook'])(
  'the rendered command line of %s starts, is probed and ends within its time',
  async (component) => {
    const folder = mkdtempSync(join(root, 'kubernetes-'));
    const topology = { specification: parse(`components: ${COMPONENTS}`), settings: world.settings };
    const { environment } = world;
    writeRendering(folder, renderKubernetes({ base: topology, overlays: new Map(), image: 'downspout', environment }));
    const text = readFileSync(join(folder, 'base', componentFile(component)), 'utf8');
    const deployment = parseAllDocuments(text).map((one) => one.toJS() as Deployment)[0] as Deployment;
    const { containers, terminationGracePeriodSeconds } = deployment.spec.template.spec;
    const [container] = containers;

    // What the cluster would mount and set: the ConfigMap and the Secret, by the names in the manifest.
    const secret: Record<string, string> = variablesOf(environment);
    const settings = Object.fromEntries(
      readFileSync(join(folder, 'base', 'settings.env'), 'utf8')
        .split('\n')
        .filter((line) => line !== '' && !line.startsWith('#'))
        .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    );
    const mount = join(folder, 'mounted');
    mkdirSync(mount);
    cpSync(join(folder, 'base', 'topology.yaml'), join(mount, 'topology.yaml'));
    const topologyMount = container.volumeMounts.find(({ name }) => name === 'topology')?.mountPath as string;
    const env = Object.fromEntries(
      container.env.flatMap(({ name, value, valueFrom }) => {
        if (value !== undefined) return [[name, value.replace(topologyMount, mount)]];
        const held = secret[valueFrom?.secretKeyRef.key as string];
        if (held === undefined && valueFrom?.secretKeyRef.optional === false) throw new Error(`${name} is missing`);
        return held === undefined ? [] : [[name, held]];
      }),
    );
    const status = container.ports.find(({ name }) => name === 'status')?.containerPort as number;
    const port = await freePort(new Set());
    const args = container.args.map((arg) => arg.replace(`=${status}`, `=${port}`).replace('0.0.0.0', '127.0.0.1'));
    const before = filesOf(image);

    const child = spawn(process.execPath, [...entrypoint(), ...args], {
      cwd: image,
      env: { ...settings, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    running.push(child);
    const lines: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => lines.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => lines.push(chunk));
    const ask = async ({ httpGet }: Probe) => {
      expect(httpGet.port).toBe('status');
      const answer = await fetch(`http://127.0.0.1:${port}${httpGet.path}`).catch(() => undefined);
      if (child.exitCode !== null) throw new Error(Buffer.concat(lines).toString());
      return answer?.status;
    };
    await until('it is alive', async () => (await ask(container.startupProbe)) === 200);
    await until('it is ready', async () => (await ask(container.readinessProbe)) === 200);
    const ended = once(child, 'exit') as Promise<[number | null]>;
    // As the kubelet does it.
    child.kill('SIGTERM');
    const grace = systemClock.after(terminationGracePeriodSeconds * 1_000, () => child.kill('SIGKILL'));
    expect(await ended).toEqual([0, null]);
    grace.cancel();
    expect(filesOf(image)).toEqual(before);
    const said = Buffer.concat(lines).toString();
    expect(said).not.toContain(new URL(env['WORKER_DATABASE_URL'] as string).password);
  },
  120_000,
);

test('settings that are missing are named, and nothing is written', () => {
  const empty = mkdtempSync(join(root, 'empty-'));
  writeFileSync(join(empty, 'topology.yaml'), `components: ${COMPONENTS}\n`);
  const { status, stderr } = spawnSync(process.execPath, [...entrypoint(), 'worker', '--component=due'], {
    cwd: empty,
    env: {},
    encoding: 'utf8',
  });
  expect(status).toBe(1);
  expect(stderr).toContain('WORKER_DATABASE_URL is not set');
  expect(filesOf(empty)).toEqual(['topology.yaml']);
});
