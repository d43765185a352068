import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import {
  type ComposeDeployment,
  deployToCompose,
  endOnCompose,
  outdatedOnCompose,
  restartOnCompose,
} from '../../../../deploy/targets/compose/deploy';
import { insideNames } from '../../../../deploy/targets/compose/inside-names';
import { FINGERPRINT, renderCompose } from '../../../../deploy/targets/compose/render';
import { GoingBackFailed, Halted, NothingChanged } from '../../../../deploy/targets/engine';
import { drainLimitMs } from '../../../../deploy/worker/drain-limit';
import { UserError } from '../../../../topology/core/errors';
import { readEnvironment } from '../../../../topology/settings/environment';
import { packageRoot } from '../../../../topology/settings/package';
import { ManualClock } from '../../../support/manual-clock';
import { CommandDouble } from '../../../support/targets/double';
import { topologyOf } from '../../../support/targets/topologies';
import { WatchDouble } from '../../../support/targets/watching';

interface Engine {
  containers: {
    id: string;
    project?: string;
    service: string;
    command: string[];
    exited?: boolean;
    isUnhealthy?: boolean;
  }[];
  /** What a name stands for now. */
  images?: Record<string, string>;
  broken: string[];
  calls: string[][];
  /** How few containers of a service ran when one was taken away. */
  fewest: Record<string, number>;
}

let folder: string;
let docker: CommandDouble<Engine>;
let steps: string[];
let interrupt: AbortController;
let watch: WatchDouble;

beforeEach(() => {
  watch = new WatchDouble();
  interrupt = new AbortController();
  folder = mkdtempSync(join(tmpdir(), 'compose-'));
  docker = new CommandDouble('docker', 'ENGINE', folder, { containers: [], broken: [], calls: [], fewest: {} });
  steps = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const environment = readEnvironment(
  {
    WORKER_DATABASE_URL: 'mysql://worker:hush@127.0.0.1:3306/downspout',
    KAFKA_BROKERS: '127.0.0.1:9092,broker.example:9092',
    CONNECT_URL: 'http://localhost:8083',
    DOWNSPOUT_SECRET_KEY: 'hush2',
  },
  {},
);
const target = () => ({
  environment,
  folder: join(folder, 'workers'),
  composeFile: join(packageRoot(), 'docker-compose.yml'),
  stack: { project: undefined, variables: {} },
  guard: { signal: interrupt.signal, mayGoOn: async () => interrupt.signal.throwIfAborted() },
  report: (step: string, text: string) => steps.push(`${step}: ${text}`),
  execute: docker.execute,
});
const releaseOf = (number: number, components: string) => ({
  number,
  specification: topologyOf(components).specification,
  image: 'downspout:1',
});
const BOTH = '{ due: { replicas: 1 }, webhook: { replicas: 2 } }';
/** Release 7 ran before. */
const deploy = (number: number, components = BOTH, changed: Partial<ComposeDeployment> = {}) =>
  deployToCompose({
    ...target(),
    release: releaseOf(number, components),
    live: releaseOf(7, BOTH),
    unfinished: [],
    isBack: false,
    watch,
    ...changed,
  });
const commandsOf = (service: string) =>
  docker.state.containers.filter((one) => one.service === service).map(({ command }) => command.at(-1));
const settingsWith = (brokers: string) => `WORKER_DATABASE_URL=mysql://mysql/downspout\nKAFKA_BROKERS=${brokers}\n`;
const fileOf = (name: string) => readFileSync(join(folder, 'workers', name), 'utf8');

/** Containers that run release 7. */
function started(counts: Readonly<Record<string, number>>): void {
  const containers = Object.entries(counts).flatMap(([service, count]) =>
    Array.from({ length: count }, (_, index) => ({
      id: Buffer.from(`${service}${index}`).toString('hex').padEnd(64, '0'),
      service: `worker-${service}`,
      command: ['--release=7'],
    })),
  );
  docker.change((engine) => ({ ...engine, containers }));
}

test('1. A new container is ready before an old one is told to end, one at a time', async () => {
  started({ due: 1, webhook: 2 });
  await deploy(8);
  expect(commandsOf('worker-webhook')).toEqual(['--release=8', '--release=8']);
  expect(commandsOf('worker-due')).toEqual(['--release=8']);
  expect(docker.state.fewest).toEqual({ 'worker-due': 1, 'worker-webhook': 2 });
  const ended = docker.state.calls.filter(([verb]) => verb === 'stop' || verb === 'rm');
  expect(ended.every((call) => !call.includes('--force'))).toBe(true);
});

describe('2. When a new container does not become ready, or the rollout is halted, every container of the release is replaced by one of the release that ran before', () => {
  beforeEach(() => {
    started({ due: 1, webhook: 2 });
    docker.change((engine) => ({ ...engine, broken: ['worker-webhook'] }));
  });

  test('of every service', async () => {
    await expect(deploy(8)).rejects.toMatchObject({
      name: 'UserError',
      message: expect.stringMatching(/worker-webhook: a new container did not become ready. 2 run on\.[^]*unhealthy/),
    });
    expect(commandsOf('worker-webhook')).toEqual(['--release=7', '--release=7']);
    expect(commandsOf('worker-due')).toEqual(['--release=7']);
    expect(steps).toContain('undo: back to release 7');
  });

  test.each([
    ['look', []],
    ['replaced webhook', ['webhook']],
    ['replaced due', ['webhook', 'due']],
    ['end', ['webhook', 'due', 'all']],
  ])('halted: %s', async (where, seen) => {
    docker.change((engine) => ({ ...engine, broken: [] }));
    watch.haltAt = where;
    const halted = deploy(8);
    await expect(halted).rejects.toThrow(Halted);
    expect(watch.seen).toEqual(seen);
    expect(commandsOf('worker-webhook')).toEqual(['--release=7', '--release=7']);
    expect(commandsOf('worker-due')).toEqual(['--release=7']);
    expect(steps).toContain('undo: halted: 30 % of the attempts fail');
    expect(docker.state.fewest['worker-webhook'] ?? 2).toBe(2);
  });

  test('and a service that is new in it ends', async () => {
    await expect(deploy(8, '{ due: { replicas: 1 }, aaa: {}, webhook: { replicas: 2 } }')).rejects.toThrow('unhealthy');
    expect(commandsOf('worker-aaa')).toEqual([]);
  });

  test('and what a first release has started ends', async () => {
    docker.change((engine) => ({ ...engine, containers: [] }));
    await expect(deploy(1, BOTH, { live: null })).rejects.toThrow('unhealthy');
    expect(docker.state.containers).toEqual([]);
  });

  test('and it says so when that fails, too', async () => {
    await expect(deploy(8, BOTH, { live: { ...releaseOf(7, BOTH), specification: 7 } })).rejects.toThrow(
      GoingBackFailed,
    );
  });
});

/** In which order containers were made for services. */
const made = () => steps.flatMap((step) => /^worker: worker-(\w+): 1 of /.exec(step)?.[1] ?? []);

const ofX = (timeout: string) =>
  `{ due: { replicas: 1 }, x: { replicas: 1, timeout: ${timeout} }, webhook: { replicas: 1 } }`;

describe('the components are replaced one after another', () => {
  test('bolts before the spout', async () => {
    started({ due: 1, webhook: 1, x: 1 });
    await deploy(8, ofX('10s'), { live: releaseOf(7, ofX('10s')) });
    expect(made()).toEqual(['x', 'webhook', 'due']);
  });

  test('but a bolt after it whose time-out rises', async () => {
    started({ due: 1, webhook: 1, x: 1 });
    await deploy(8, ofX('2min'), { live: releaseOf(7, ofX('10s')) });
    expect(made()).toEqual(['webhook', 'due', 'x']);
  });

  test('and back to an older version the spout comes first', async () => {
    started({ due: 1, webhook: 1, x: 1 });
    await deploy(8, ofX('10s'), { live: releaseOf(7, ofX('10s')), isBack: true });
    expect(made()).toEqual(['due', 'x', 'webhook']);
  });

  test('also one whose time-out a release that was interrupted had lowered', async () => {
    started({ due: 1, webhook: 1, x: 1 });
    await deploy(8, ofX('10s'), { live: releaseOf(7, ofX('2min')) });
    steps = [];
    await deploy(9, ofX('2min'), { live: releaseOf(7, ofX('2min')), unfinished: [releaseOf(8, ofX('10s'))] });
    expect(made()).toEqual(['due', 'x']);
  });

  test('and going back in the other order', async () => {
    started({ due: 1, webhook: 1, x: 1 });
    const breaks: typeof docker.execute = async (command, args, options) => {
      if (args.includes('ps') && made().length === 3 && !steps.includes('undo: back to release 7')) {
        throw new UserError('docker is away');
      }
      return docker.execute(command, args, options);
    };
    await expect(deploy(8, ofX('10s'), { live: releaseOf(7, ofX('10s')), execute: breaks })).rejects.toThrow(
      'docker is away',
    );
    expect(made()).toEqual(['x', 'webhook', 'due', 'due', 'x', 'webhook']);
  });
});

const changed = '{ due: { replicas: 1 }, webhook: { replicas: 2, timeout: 9s } }';
const idsOf = (service: string) => docker.state.containers.filter((one) => one.service === service).map(({ id }) => id);
function isUnhealthy(service: string): void {
  docker.change(({ containers, ...engine }) => ({
    ...engine,
    containers: containers.map((one) => ({ ...one, isUnhealthy: one.service === service })),
  }));
}
const all = () => [...commandsOf('worker-due'), ...commandsOf('worker-webhook')];

describe('5. A container that would be the same, of the same image and with the same settings, is left alone. It goes on with the release that it was started with', () => {
  beforeEach(() => deploy(7, BOTH, { live: null }));

  test('and one that would not is replaced', async () => {
    const due = idsOf('worker-due');
    await deploy(8, changed);
    expect(all()).toEqual(['--release=7', '--release=8', '--release=8']);
    expect(idsOf('worker-due')).toEqual(due);
    expect(docker.state.fewest).toEqual({ 'worker-webhook': 2 });
    // Whoever uses the file by hand replaces nothing either.
    expect(parse(fileOf('workers.yml')).services['worker-due'].command).toContain('--release=7');
  });

  test('what is added is like what is there', async () => {
    const before = idsOf('worker-webhook');
    await deploy(8, '{ due: { replicas: 1 }, webhook: { replicas: 3 } }');
    expect(idsOf('worker-webhook').slice(0, 2)).toEqual(before);
    expect(all()).toEqual(Array(4).fill('--release=7'));
    await deploy(9, '{ due: { replicas: 1 }, webhook: { replicas: 1 } }');
    expect(idsOf('worker-webhook')).toEqual(before.slice(0, 1));
  });

  test('another image under the same name, and other settings of the environment, replace all', async () => {
    docker.change((engine) => ({ ...engine, images: { 'downspout:1': `sha256:${'f'.repeat(64)}` } }));
    await deploy(8);
    expect(all()).toEqual(Array(3).fill('--release=8'));
    writeFileSync(join(folder, 'workers', 'workers.env'), settingsWith('elsewhere:9092'));
    await deploy(9);
    expect(all()).toEqual(Array(3).fill('--release=9'));
  });

  test('one that was not healthy before fails no release, and is judged where nothing else changes', async () => {
    isUnhealthy('worker-due');
    const due = idsOf('worker-due');
    await deploy(8, changed);
    expect(all()).toEqual(['--release=7', '--release=8', '--release=8']);
    expect(idsOf('worker-due')).toEqual(due);
    await expect(deploy(8, changed, { live: releaseOf(8, changed) })).rejects.toThrow('unhealthy');
  });

  test('one that only an interrupted release has made, and that is not healthy, fails the next release', async () => {
    await deploy(8, changed);
    isUnhealthy('worker-webhook');
    const due = idsOf('worker-due');
    await expect(deploy(9, '{ due: { replicas: 2 }, webhook: { replicas: 2, timeout: 9s } }')).rejects.toThrow(
      'unhealthy',
    );
    expect(all()).toEqual(Array(3).fill('--release=7'));
    expect(idsOf('worker-due')).toEqual(due);
  });

  test('nor does the first release become live while what an interrupted one before it has made is not healthy', async () => {
    isUnhealthy('worker-webhook');
    const more = '{ due: { replicas: 1 }, webhook: { replicas: 2, partitions: 16 } }';
    await expect(deploy(8, more, { live: null })).rejects.toThrow('unhealthy');
  });

  test('one that is left alone and does not run any more fails the release', async () => {
    const dies: typeof docker.execute = async (command, args, options) => {
      if (args.includes('up') && args.at(-1) === 'worker-due') {
        isUnhealthy('worker-due');
      }
      return docker.execute(command, args, options);
    };
    await expect(deploy(8, changed, { execute: dies })).rejects.toThrow('unhealthy');
  });

  test('also when a release is taken back', async () => {
    const before = docker.state.containers.map(({ id }) => id);
    docker.change((engine) => ({ ...engine, broken: ['worker-webhook'] }));
    await expect(deploy(8, changed)).rejects.toThrow('unhealthy');
    expect(docker.state.containers.map(({ id }) => id)).toEqual(before);
  });

  test('also by going back after the settings of the environment were spoilt', async () => {
    await deploy(8, changed);
    const before = docker.state.containers.map(({ id }) => id);
    writeFileSync(join(folder, 'workers', 'workers.env'), settingsWith('nowhere:9092'));
    docker.change((engine) => ({ ...engine, broken: ['worker-due', 'worker-webhook'] }));
    const failed = await deploy(9, BOTH, { live: releaseOf(8, changed) }).catch((error: unknown) => error);
    expect(failed).toMatchObject({ message: expect.stringMatching(/did not become ready\. 2 run on\./) });
    expect(failed).not.toBeInstanceOf(GoingBackFailed);
    expect(docker.state.containers.map(({ id }) => id)).toEqual(before);
  });
});

test('4. It changes nothing once the command may not go on', async () => {
  started({ due: 1, webhook: 2 });
  const dies: typeof docker.execute = async (command, args, options) => {
    if (!args.includes('up')) return docker.execute(command, args, options);
    interrupt.abort(new Error('no right any more'));
    throw new UserError('`docker compose up` failed');
  };
  await expect(deploy(8, BOTH, { execute: dies })).rejects.toThrow('no right any more');
  expect(docker.state.containers.map(({ command }) => command.at(-1))).toEqual(Array(3).fill('--release=7'));
});

test('a container of an earlier release that has exited is not started again in place of a new one', async () => {
  started({ due: 1, webhook: 2 });
  docker.change(({ containers, ...engine }) => ({
    ...engine,
    containers: containers.map((one, index) => (index === 1 ? { ...one, exited: true } : one)),
  }));
  await deploy(8);
  expect(commandsOf('worker-webhook')).toEqual(['--release=8', '--release=8']);
});

describe('containers that are unhealthy', () => {
  beforeEach(() => {
    started({ due: 1, webhook: 2 });
    docker.change(({ containers, ...engine }) => ({
      ...engine,
      containers: containers.map((one) => ({ ...one, isUnhealthy: true })),
    }));
  });

  test('are replaced by those of a release that mends them', async () => {
    await deploy(8);
    expect(all()).toEqual(Array(3).fill('--release=8'));
  });

  test('are what they were after a release that does not', async () => {
    docker.change((engine) => ({ ...engine, broken: ['worker-webhook', 'worker-due'] }));
    const before = docker.state.containers.map(({ id }) => id);
    const failed = await deploy(8).catch((error: unknown) => error);
    expect(failed).toMatchObject({ message: expect.stringMatching(/did not become ready\. 2 run on\./) });
    expect(failed).not.toBeInstanceOf(GoingBackFailed);
    expect(docker.state.containers.map(({ id }) => id)).toEqual(before);
  });
});

test('a new container has two minutes to become healthy', async () => {
  const clock = new ManualClock();
  const starts: typeof docker.execute = async (command, args, options) => {
    const said = await docker.execute(command, args, options);
    return args[0] === 'inspect' ? said.replaceAll('running healthy', 'running starting') : said;
  };
  const over: unknown[] = [];
  void deploy(1, BOTH, { live: null, execute: starts, clock }).catch((error: unknown) => over.push(error));
  while (over.length === 0) await clock.advance(1_000);
  expect(over).toEqual([
    expect.objectContaining({ message: expect.stringMatching(/after 120 s: container .* starting/) }),
  ]);
  expect(clock.monotonic()).toBeGreaterThanOrEqual(120_000);
  expect(docker.state.containers).toEqual([]);
});

/** The name of the image stands for another one from now on. */
const standsFor = (digit: string) =>
  docker.change((engine) => ({ ...engine, images: { 'downspout:1': `sha256:${digit.repeat(64)}` } }));

test('what would replace containers although they run the release already is known before: settings, and what the name of an image stands for', async () => {
  const outdated = () => outdatedOnCompose(releaseOf(7, BOTH), target());
  standsFor('1');
  await deploy(7, BOTH, { live: null });
  expect(await outdated()).toEqual([]);
  writeFileSync(join(folder, 'workers', 'workers.env'), settingsWith('other:9092'));
  expect(await outdated()).toEqual(['due', 'webhook']);
  watch = new WatchDouble();
  await deploy(8, BOTH, { canaries: 1 });
  expect(watch.seen).toEqual(['webhook', '', 'due', 'all']);
  expect(await outdated()).toEqual([]);
  standsFor('2');
  expect(await outdated()).toEqual(['due', 'webhook']);
  writeFileSync(join(folder, 'workers', 'workers.env'), '');
  await expect(outdated()).rejects.toThrow(/workers\.env lacks WORKER_DATABASE_URL and KAFKA_BROKERS/);
});

test('a deploy that was interrupted is continued: what is new already stays', async () => {
  started({ due: 1, webhook: 2 });
  docker.change(({ containers, ...engine }) => ({
    ...engine,
    containers: containers.map((one, index) => (index === 1 ? { ...one, command: ['--release=8'] } : one)),
  }));
  const kept = docker.state.containers[1]?.id;
  await deploy(8);
  expect(commandsOf('worker-webhook')).toEqual(['--release=8', '--release=8']);
  expect(docker.state.containers.map(({ id }) => id)).toContain(kept);
});

/** A deploy that is killed before or after a call of docker that changes something. @returns whether it came as far */
async function killedAt(call: number, isAfter: boolean, components = BOTH): Promise<boolean> {
  let calls = 0;
  const dies: typeof docker.execute = async (command, args, options) => {
    if (args.some((arg) => ['up', 'stop', 'rm'].includes(arg))) calls++;
    if (calls > call || (calls === call && !isAfter)) throw new Error('SIGKILL');
    const said = await docker.execute(command, args, options);
    if (calls < call) return said;
    throw new Error('SIGKILL');
  };
  await deploy(8, components, { execute: dies }).catch(() => undefined);
  return calls >= call;
}

test('a way back that was killed before or after any call of docker that changes something is gone again by the next release that fails, and left by one that does not', async () => {
  started({ due: 1, webhook: 2 });
  const before: Engine = { ...docker.state, broken: ['worker-due'] };
  let kills = 0;
  for (const [isAfter, broken] of [
    [false, ['worker-due']],
    [true, []],
  ] as const) {
    // What comes first is a way forward, of which the next test is.
    for (let call = 10; ; call++, kills++) {
      docker.change(() => before);
      if (!(await killedAt(call, isAfter, changed))) break;
      // What has only started late becomes healthy by itself.
      const healed = broken.length === 0 ? { isUnhealthy: false } : {};
      docker.change((engine) => ({
        ...engine,
        broken: [...broken],
        containers: engine.containers.map((one) => ({ ...one, ...healed })),
      }));
      const next = deploy(9, changed, { unfinished: [releaseOf(8, changed)] });
      const outcome = await next.then(
        () => 9,
        () => 7,
      );
      expect(outcome).toBe(broken.length > 0 ? 7 : 9);
      // A container of the release that failed would be the same in the next one, which becomes live.
      const right = outcome === 7 ? ['--release=7'] : ['--release=8', '--release=9'];
      expect(all().map((one) => right.includes(one ?? ''))).toEqual([true, true, true]);
      expect(docker.state.containers.filter((one) => one.isUnhealthy === true)).toEqual([]);
    }
  }
  expect(kills).toBeGreaterThan(10);
});

test('a deploy that was killed before or after any call of docker that changes something is continued', async () => {
  started({ due: 1, webhook: 2 });
  const before = docker.state;
  let kills = 0;
  for (const isAfter of [false, true]) {
    for (let call = 1; ; call++, kills++) {
      docker.change(() => before);
      if (!(await killedAt(call, isAfter))) break;
      await deploy(8, BOTH, { unfinished: [releaseOf(8, BOTH)] });
      expect(all()).toEqual(Array(3).fill('--release=8'));
      expect(docker.state.fewest).toMatchObject({ 'worker-webhook': 2, 'worker-due': 1 });
    }
  }
  expect(kills).toBe(26);
});

test('a deploy that is continued keeps nothing that was started with other settings', async () => {
  started({ due: 1, webhook: 2 });
  await deploy(8);
  const before = docker.state.containers.map(({ id }) => id);
  writeFileSync(join(folder, 'workers', 'workers.env'), settingsWith('elsewhere:9092'));
  await deploy(8);
  expect(all()).toEqual(Array(3).fill('--release=8'));
  expect(docker.state.containers.filter(({ id }) => before.includes(id))).toEqual([]);
});

test('a release that runs already is made anew, because settings may have changed', async () => {
  started({ due: 1, webhook: 2 });
  const before = docker.state.containers.map(({ id }) => id);
  await deploy(7);
  expect(docker.state.containers).toHaveLength(3);
  expect(docker.state.containers.filter(({ id }) => before.includes(id))).toEqual([]);
});

test('a component is restarted by all of its containers at once, and not where it does not run', async () => {
  await restartOnCompose('due', releaseOf(7, BOTH), target());
  started({ due: 1, webhook: 2 });
  await restartOnCompose('due', releaseOf(7, BOTH), target());
  const restarted = docker.state.calls.filter((call) => call.includes('restart'));
  const [due] = docker.state.containers.filter(({ service }) => service === 'worker-due');
  expect(restarted).toEqual([['restart', due?.id]]);
});

test('a component is restarted where a deploy with another docker-compose.yml has left it too, and nothing that has exited or is of others', async () => {
  await deploy(7, BOTH, { live: null });
  const [due] = docker.state.containers.filter(({ service }) => service === 'worker-due');
  const left = { ...(due as Engine['containers'][number]), id: 'b'.repeat(64), project: 'downspout-0a1b2c3d' };
  const exited = { ...left, id: 'c'.repeat(64), exited: true };
  const ofOthers = { ...left, id: 'd'.repeat(64), labels: {} };
  docker.change((engine) => ({ ...engine, containers: [...engine.containers, left, exited, ofOthers] }));
  await restartOnCompose('due', releaseOf(7, BOTH), target());
  const restarted = docker.state.calls.filter((call) => call.includes('restart'));
  expect(restarted).toEqual([['restart', due?.id, left.id]]);
});

const releasesIn = (service: string) => commandsOf(service).map((command) => command?.replace('--release=', ''));

/** What the containers of two bolts run whenever somebody watches. */
function watchedWith(): string[] {
  const seen: string[] = [];
  jest.spyOn(watch, 'replaced').mockImplementation(async (components) => {
    const run = ['worker-webhook', 'worker-slack'].map((service) => releasesIn(service).join(' '));
    seen.push(`${components.join(' and ')}: ${run.join(', ')}`);
  });
  return seen;
}

/** The command ends when these were watched. */
function killedAfter(components: string): ComposeDeployment['guard'] {
  jest.spyOn(watch, 'replaced').mockImplementationOnce(async (replaced) => {
    if (replaced.join(' and ') === components) interrupt.abort(new Error('SIGKILL'));
  });
  return { signal: interrupt.signal, mayGoOn: async () => interrupt.signal.throwIfAborted() };
}

const THREE = '{ due: { replicas: 1 }, webhook: { replicas: 3 }, slack: { replicas: 2 } }';
const otherSettings = () => writeFileSync(join(folder, 'workers', 'workers.env'), settingsWith('other:9092'));

describe('8. Of the services of a stage the canaries are replaced first, and watched before the others follow', () => {
  const before = { due: 1, webhook: 3, slack: 2 };
  test('one of each, and nobody is watched twice, but the last ones count for how long all are watched', async () => {
    started(before);
    const seen = watchedWith();
    await deploy(8, THREE, { live: releaseOf(7, THREE), canaries: 1 });
    expect(seen).toEqual(['webhook and slack: 7 7 8, 7 8', ': 8 8 8, 8 8', 'due: 8 8 8, 8 8']);
    expect(docker.state.fewest).toEqual({ 'worker-due': 1, 'worker-webhook': 3, 'worker-slack': 2 });
  });

  test('where no container is old there is nobody to be compared with, so all are new together', async () => {
    started({ due: 1, webhook: 3 });
    const seen = watchedWith();
    await deploy(8, THREE, { live: releaseOf(7, THREE), canaries: 2 });
    expect(seen).toEqual(['webhook: 7 8 8, ', 'slack: 8 8 8, 8 8', 'due: 8 8 8, 8 8']);
  });

  test('canaries that do badly are taken back, and the others were never touched', async () => {
    started(before);
    const others = docker.state.containers.map(({ id }) => id);
    watch.haltAt = 'replaced webhook and slack';
    await expect(deploy(8, THREE, { live: releaseOf(7, THREE), canaries: 1 })).rejects.toThrow(Halted);
    expect(commandsOf('worker-webhook')).toEqual(Array(3).fill('--release=7'));
    expect(commandsOf('worker-slack')).toEqual(Array(2).fill('--release=7'));
    // Two of webhook, one of slack, and the spout.
    expect(docker.state.containers.filter(({ id }) => others.includes(id))).toHaveLength(4);
  });

  test('what an earlier deploy has begun counts as canaries', async () => {
    started(before);
    await deploy(8, THREE, { live: releaseOf(7, THREE), canaries: 1, guard: killedAfter('webhook and slack') }).catch(
      () => undefined,
    );
    interrupt = new AbortController();
    const seen = watchedWith();
    await deploy(8, THREE, { live: releaseOf(7, THREE), canaries: 1 });
    expect(seen).toEqual(['webhook and slack: 8 8 8, 8 8', 'due: 8 8 8, 8 8']);
  });
});

describe('9. What going back has made with settings that may be those of the release that failed is no container of any release to the next deploy: it is replaced first', () => {
  const canary = { live: releaseOf(7, THREE), canaries: 1 };
  const outdated = (components: string) => outdatedOnCompose(releaseOf(7, components), target());
  async function halted(
    number: number,
    where: string,
    components = THREE,
    options: Partial<ComposeDeployment> = canary,
  ) {
    watch = new WatchDouble();
    watch.haltAt = where;
    await expect(deploy(number, components, options)).rejects.toThrow(Halted);
    watch = new WatchDouble();
  }

  test('as a canary, which is watched, and all are of the new release', async () => {
    await deploy(7, THREE, { live: null });
    otherSettings();
    await halted(8, 'replaced webhook and slack');
    const seen = watchedWith();
    await deploy(9, THREE, canary);
    expect(seen).toEqual(['webhook and slack: 7 7 9, 7 9', ': 9 9 9, 9 9', 'due: 9 9 9, 9 9']);
  });

  test('also where it is the only one', async () => {
    const one = '{ due: { replicas: 1 }, webhook: { replicas: 1 } }';
    await deploy(7, one, { live: null });
    otherSettings();
    await halted(8, 'end', one, { live: releaseOf(7, one), canaries: 1 });
    expect(all()).toEqual(['--release=7', '--release=7']);
    expect(await outdated(one)).toEqual(['due', 'webhook']);
    await deploy(9, one, { live: releaseOf(7, one), canaries: 1 });
    expect(watch.seen).toEqual(['webhook', 'due', 'all']);
    expect(all()).toEqual(['--release=9', '--release=9']);
  });

  test('so canaries that are halted again cost no more of what ran before', async () => {
    await deploy(7, THREE, { live: null });
    const before = idsOf('worker-webhook');
    otherSettings();
    for (const number of [8, 9, 10]) await halted(number, 'replaced webhook and slack');
    expect(idsOf('worker-webhook').filter((id) => before.includes(id))).toHaveLength(2);
  });

  test('and a way back that was interrupted keeps what it has made', async () => {
    await deploy(7, THREE, { live: null });
    otherSettings();
    watch.haltAt = 'end';
    const report = (step: string, text: string) => {
      steps.push(`${step}: ${text}`);
      if (steps.includes('undo: back to release 7') && text === 'worker-webhook: 2 of 3 are new') interrupt.abort();
    };
    await expect(deploy(8, THREE, { ...canary, report })).rejects.toThrow('aborted');
    expect(releasesIn('worker-webhook')).toEqual(['8', '7', '7']);
    const kept = idsOf('worker-webhook').slice(1);
    interrupt = new AbortController();
    await halted(8, 'look');
    expect(idsOf('worker-webhook')).toEqual(expect.arrayContaining(kept));
    expect(all()).toEqual(Array(4).fill('--release=7'));
  });

  test('and where a container is left that tells that the settings are the same nothing is outdated', async () => {
    await deploy(7, BOTH, { live: null });
    await halted(8, 'replaced webhook', changed, { canaries: 0 });
    expect(await outdated(BOTH)).toEqual([]);
    otherSettings();
    expect(await outdated(BOTH)).toEqual(['due', 'webhook']);
  });
});

test('what follows a release that was interrupted is of the new one, at whose workers the judge looks', async () => {
  await deploy(7, THREE, { live: null });
  otherSettings();
  const options = { live: releaseOf(7, THREE), canaries: 1 };
  await deploy(8, THREE, { ...options, guard: killedAfter('webhook and slack') }).catch(() => undefined);
  expect(releasesIn('worker-webhook')).toEqual(['7', '7', '8']);
  interrupt = new AbortController();
  await deploy(9, THREE.replace('slack: {', 'slack: { timeout: 9s,'), {
    ...options,
    unfinished: [releaseOf(8, THREE)],
  });
  expect(releasesIn('worker-webhook')).toEqual(['8', '9', '9']);
});

const kafka = { id: 'a'.repeat(64), service: 'kafka', command: ['kafka'] };
const besideKafka = () => docker.change((engine) => ({ ...engine, containers: [...engine.containers, kafka] }));

test('all workers end, also those of a component that only a release that was interrupted had', async () => {
  started({ due: 1, webhook: 2, slack: 1 });
  besideKafka();
  await endOnCompose(releaseOf(7, BOTH), target());
  expect(docker.state.containers).toEqual([kafka]);
});

test('no container leaves the volume in which it has held media', async () => {
  started({ due: 1, webhook: 2, slack: 1 });
  docker.change((engine) => ({ ...engine, broken: ['worker-webhook'] }));
  await expect(deploy(8)).rejects.toThrow('unhealthy');
  docker.change((engine) => ({ ...engine, broken: [] }));
  await deploy(9);
  await endOnCompose(releaseOf(9, BOTH), target());
  const removals = docker.state.calls.filter((call) => call.includes('rm'));
  expect(removals.length).toBeGreaterThan(5);
  expect(removals.filter((call) => !call.includes('--volumes'))).toEqual([]);
});

test('6. Containers of components that the release does not have end, whichever release has left them', async () => {
  started({ due: 1, webhook: 2, slack: 2 });
  besideKafka();
  await deploy(8, '{ due: { replicas: 1 } }');
  expect(docker.state.containers.map(({ service }) => service).toSorted()).toEqual(['kafka', 'worker-due']);
  expect(docker.state.fewest).toMatchObject({ 'worker-slack': 0, 'worker-webhook': 0 });
});

test('workers of the same folder in another project end, and not those of another folder', async () => {
  await deploy(7, BOTH, { live: null });
  const elsewhere = { ...kafka, id: 'b'.repeat(64), service: 'worker-due', project: 'downspout-0a1b2c3d' };
  const madeOf = { 'com.docker.compose.project.config_files': '/other/docker-compose.yml,/other/workers.yml' };
  docker.change((engine) => ({ ...engine, containers: [...engine.containers, { ...elsewhere, labels: madeOf }] }));
  // `downspout init` names a project of its own in the docker-compose.yml that it writes.
  const composeFile = join(folder, 'docker-compose.yml');
  const text = readFileSync(join(packageRoot(), 'docker-compose.yml'), 'utf8');
  writeFileSync(composeFile, text.replace(/^name: .*$/m, 'name: downspout-12345678'));
  await deploy(8, BOTH, { composeFile });
  const own = [
    'downspout-12345678 worker-due',
    'downspout-12345678 worker-webhook',
    'downspout-12345678 worker-webhook',
  ];
  expect(projects().toSorted()).toEqual(['downspout-0a1b2c3d worker-due', ...own]);
  // Whoever stands in another folder ends them too.
  await endOnCompose(releaseOf(8, BOTH), target());
  expect(projects()).toEqual(['downspout-0a1b2c3d worker-due']);
});

test.each([
  [1, 3],
  [3, 1],
])(
  '3. In the end there are as many containers of each service as the topology says, and all of them run the release (%s, then %s)',
  async (before, then) => {
    started({ due: 1, webhook: before });
    await deploy(8, `{ due: { replicas: 1 }, webhook: { replicas: ${then} } }`);
    expect(commandsOf('worker-webhook')).toEqual(Array(then).fill('--release=8'));
  },
);

test('settings go into a file that only its owner reads, with addresses as containers see them', async () => {
  await deploy(1, '{ due: { replicas: 1 }, webhook: { replicas: 1 } }');
  const settings = fileOf('workers.env');
  expect(settings).toContain('WORKER_DATABASE_URL=mysql://worker:hush@mysql:3306/downspout\n');
  expect(settings).toContain('KAFKA_BROKERS=kafka:9094,broker.example:9092\n');
  expect(settings).toContain('CONNECT_URL=http://connect:8083/\n');
  for (const name of ['workers.env', 'fingerprint.key'])
    expect(statSync(join(folder, 'workers', name)).mode & 0o777).toBe(0o600);
  expect(fileOf('workers.yml')).not.toContain('hush');
  expect(docker.state.calls.flat().join(' ')).not.toContain('hush');
});

/** The line of a setting. */
const written = (name: 'KAFKA_SASL_PASSWORD' | 'HTTPS_PROXY', value: string) => {
  const files = renderCompose({
    ...topologyOf(),
    image: 'downspout:1',
    environment: { ...environment, [name]: value },
  });
  const text = files.find(({ path }) => path === 'workers.env')?.text ?? '';
  return text.split('\n').find((line) => line.startsWith(`${name}=`));
};

describe('what Docker Compose reads of a file of settings', () => {
  test.each([
    ['plain-1/2+3=4%25', 'plain-1/2+3=4%25'],
    ['back\\slash\\', 'back\\slash\\'],
    [`in"the'middle`, `in"the'middle`],
    ['pa$word', "'pa$word'"],
    ['a#b', "'a#b'"],
    ['two words', "'two words'"],
    ['"quoted"', `'"quoted"'`],
    [`it's $5`, String.raw`'it\'s $5'`],
  ])('is %s', (value, line) => {
    expect(written('KAFKA_SASL_PASSWORD', value)).toBe(`KAFKA_SASL_PASSWORD=${line}`);
  });

  test.each(['two\nLOG_LEVEL=trace', String.raw`a\'b $c`, String.raw`$ends\ `.trim()])(
    'cannot be %j, which is refused without being shown',
    (value) => {
      const refused = () => written('KAFKA_SASL_PASSWORD', value);
      expect(refused).toThrow(/^KAFKA_SASL_PASSWORD has a line end, or a backslash/);
      expect(refused).not.toThrow(value);
    },
  );
});

describe('files that the settings name', () => {
  const withFiles = readEnvironment(
    {
      WORKER_DATABASE_URL: 'mysql://worker:hush@mysql/downspout?ssl-mode=VERIFY_CA&ssl-ca=/etc/mysql/ca.pem',
      KAFKA_BROKERS: 'broker.example:9093',
      KAFKA_SSL: 'true',
      KAFKA_SSL_CA_FILE: '/certs/$ca.pem',
      KAFKA_SASL_MECHANISM: 'plain',
      KAFKA_SASL_USERNAME: 'worker',
      KAFKA_SASL_PASSWORD_FILE: '/secrets/kafka',
    },
    {},
  );

  test('are there in the containers, under the paths that the settings say there', () => {
    const files = renderCompose({ ...topologyOf(), image: 'downspout:1', environment: withFiles });
    const textOf = (name: string) => files.find(({ path }) => path === name)?.text ?? '';
    const { services } = parse(textOf('workers.yml')) as { services: Record<string, { volumes: unknown[] }> };
    const bind = { type: 'bind', read_only: true, bind: { create_host_path: false } };
    for (const { volumes } of Object.values(services)) {
      expect(volumes.slice(2)).toEqual([
        { ...bind, source: '/certs/$$ca.pem', target: '/etc/downspout/files/KAFKA_SSL_CA_FILE' },
        { ...bind, source: '/secrets/kafka', target: '/etc/downspout/files/KAFKA_SASL_PASSWORD_FILE' },
        { ...bind, source: '/etc/mysql/ca.pem', target: '/etc/mysql/ca.pem' },
      ]);
    }
    expect(textOf('workers.env')).toContain('KAFKA_SSL_CA_FILE=/etc/downspout/files/KAFKA_SSL_CA_FILE\n');
    expect(textOf('workers.env')).toContain('KAFKA_SASL_PASSWORD_FILE=/etc/downspout/files/KAFKA_SASL_PASSWORD_FILE\n');
  });

  test('replace the containers that read them when they say something else', async () => {
    const file = join(folder, 'ca.pem');
    const withFile = { environment: { ...environment, CONNECT_CA_FILE: file } };
    writeFileSync(file, 'one');
    await deploy(8, BOTH, withFile);
    await deploy(9, BOTH, withFile);
    expect(commandsOf('worker-webhook')).toEqual(['--release=8', '--release=8']);
    writeFileSync(file, 'two');
    await deploy(10, BOTH, withFile);
    expect(commandsOf('worker-webhook')).toEqual(['--release=10', '--release=10']);
  });
});

test('a file with a secret that only the user of the containers may read replaces them when it is changed', async () => {
  // Root reads every file, but no folder.
  const file = join(folder, 'key');
  mkdirSync(file);
  const withKey = { environment: { ...environment, DOWNSPOUT_SECRET_KEY_FILE: file } };
  await deploy(8, BOTH, withKey);
  await deploy(9, BOTH, withKey);
  expect(commandsOf('worker-webhook')).toEqual(['--release=8', '--release=8']);
  utimesSync(file, 1, 1);
  await deploy(10, BOTH, withKey);
  expect(commandsOf('worker-webhook')).toEqual(['--release=10', '--release=10']);
});

test('what Docker Compose cannot read from a file is nobody’s concern where people have written the file', async () => {
  const odd = { ...environment, KAFKA_SASL_PASSWORD: String.raw`a\'b $c` };
  await expect(deploy(8, BOTH, { environment: odd })).rejects.toThrow('KAFKA_SASL_PASSWORD has');
  mkdirSync(join(folder, 'workers'), { recursive: true });
  writeFileSync(join(folder, 'workers', 'workers.env'), settingsWith('kafka:9094'));
  await deploy(9, BOTH, { environment: odd });
  expect(commandsOf('worker-webhook')).toEqual(['--release=9', '--release=9']);
  await endOnCompose(releaseOf(9, BOTH), { ...target(), environment: odd });
  expect(docker.state.containers).toEqual([]);
});

/** Of the services that are rendered. */
function labels(): (string | undefined)[] {
  const services = Object.values<{ labels: Record<string, string> }>(parse(fileOf('workers.yml')).services);
  return services.map((service) => service.labels[FINGERPRINT]);
}

test('a label says nothing of the settings without a key that only its owner reads', async () => {
  await deploy(1);
  const first = labels();
  await deploy(2);
  expect(labels()).toEqual(first);
  // Whoever knows all that a label depends on but the key finds another one.
  rmSync(join(folder, 'workers', 'fingerprint.key'));
  await deploy(3);
  expect(labels().filter((label) => first.includes(label))).toEqual([]);
});

test.each([
  ['three brokers', '127.0.0.1:9092,127.0.0.1:9192,127.0.0.1:9292', 'kafka:9094,kafka-b:9094,kafka-c:9094'],
  ['the primary of a group', 'mysql://app@127.0.0.1:3326/downspout', 'mysql://app@haproxy:3306/downspout'],
  ['a living Connect worker', 'http://localhost:8283', 'http://haproxy:8083'],
])('containers reach %s by the names of services', (_, outside, inside) => {
  expect(insideNames(join(packageRoot(), 'docker-compose.yml'), {})(outside)).toBe(inside);
});

const projects = () => docker.state.containers.map(({ project, service }) => `${project ?? '-'} ${service}`);

describe('a stack with a project of its own', () => {
  const stack = { project: 'downspout-0a1b2c3d', variables: { KAFKA_PORT: '24000' } };

  test('has workers of its own, and touches those of no other stack', async () => {
    started({ due: 1, slack: 1 });
    const others = ['- worker-due', '- worker-slack'];
    await deploy(8, '{ due: { replicas: 1 }, webhook: { replicas: 1 } }', { stack, live: null });
    const own = ['downspout-0a1b2c3d worker-webhook', 'downspout-0a1b2c3d worker-due'];
    expect(projects()).toEqual([...others, ...own]);
    const alone = '{ due: { replicas: 1 } }';
    await restartOnCompose('due', releaseOf(8, alone), { ...target(), stack });
    await deploy(9, alone, { stack });
    expect(projects()).toEqual([...others, own[1]]);
    await endOnCompose(releaseOf(9, alone), { ...target(), stack });
    expect(projects()).toEqual(others);
    const calls = docker.state.calls.filter(([verb]) => verb === 'compose');
    expect(calls.filter((call) => call[call.indexOf('--project-name') + 1] !== stack.project)).toEqual([]);
  });

  test('is reached by its names behind the ports that it was given', () => {
    const inside = insideNames(join(packageRoot(), 'docker-compose.yml'), stack.variables);
    expect(inside('127.0.0.1:24000,127.0.0.1:9092')).toBe('kafka:9094,127.0.0.1:9092');
  });

  test('is named where people are told to look at its log', async () => {
    docker.change((engine) => ({ ...engine, broken: ['worker-due'] }));
    await expect(deploy(8, '{ due: { replicas: 1 } }', { stack, live: null })).rejects.toThrow(
      'docker compose --project-name downspout-0a1b2c3d logs worker-due',
    );
  });
});

describe('7. Nothing is started, and nothing goes back, while the file of settings lacks what no worker can do without', () => {
  beforeEach(async () => {
    await deploy(7, BOTH, { live: null });
    docker.change((engine) => ({ ...engine, calls: [] }));
  });

  test.each([
    ['# WORKER_DATABASE_URL=\nKAFKA_BROKERS=kafka:9094\n', 'lacks WORKER_DATABASE_URL, without which'],
    ['WORKER_DATABASE_URL=\n', 'lacks WORKER_DATABASE_URL and KAFKA_BROKERS, without which'],
  ])('%j', async (settings, words) => {
    writeFileSync(join(folder, 'workers', 'workers.env'), settings);
    const failed = deploy(8, changed);
    await expect(failed).rejects.toThrow(NothingChanged);
    await expect(failed).rejects.toThrow(`${join(folder, 'workers', 'workers.env')} ${words}`);
    expect(docker.state.calls).toEqual([]);
    expect(fileOf('workers.env')).toBe(settings);
  });
});

test('the double refuses what Docker Compose takes for the name of a volume, or does not find', async () => {
  await expect(containersOf('compose/topology.yaml', 'b.yml')).rejects.toThrow(
    'service "worker-due" refers to undefined volume compose/topology.yaml: invalid compose project',
  );
  await expect(containersOf('./topology.yaml', 'nothing.env')).rejects.toThrow('nothing.env not found');
  await expect(containersOf('./topology.yaml', 'b.yml')).resolves.toBe('');
  await expect(containersOf('./topology.yaml', 'b.yml', {})).rejects.toThrow(
    'required variable KAFKA_CLUSTER_ID is missing a value',
  );
});

/** Asks for the containers of a service that mounts `source`. @param file of its settings @param settings of the command */
function containersOf(
  source: string,
  file: string,
  settings: Readonly<Record<string, string>> = { KAFKA_CLUSTER_ID: 'one' },
): Promise<string> {
  const path = join(folder, 'b.yml');
  const worker = { volumes: [`${source}:/etc/topology.yaml:ro`, '/tmp'], env_file: [file] };
  writeFileSync(path, JSON.stringify({ services: { 'worker-due': worker } }));
  const files = ['--file', 'docker-compose.yml', '--file', path, '--project-directory', folder];
  return docker.execute('docker', ['compose', ...files, 'ps', '--quiet', 'worker-due'], { settings });
}

test.each([
  [undefined, './compose'],
  ['foo', './foo'],
  ['foo/', './foo'],
  ['../foo', '../foo'],
  ['./a/../foo', './foo'],
  ['/srv/foo', '/srv/foo'],
  ['.', '.'],
  ['.foo', './.foo'],
])('files rendered into %s are found there by the services', (out, path) => {
  const files = renderCompose({ ...topologyOf(), image: 'downspout:1', environment, folder: out });
  const text = files.find((one) => one.path === 'workers.yml')?.text ?? '';
  const { services } = parse(text) as { services: Record<string, { env_file: string[]; volumes: string[] }> };
  for (const { env_file: settings, volumes } of Object.values(services)) {
    expect(settings).toEqual([`\${DOWNSPOUT_WORKERS:-${path}}/workers.env`]);
    expect(volumes[0]).toBe(`\${DOWNSPOUT_WORKERS:-${path}}/topology.yaml:/etc/downspout/topology.yaml:ro`);
  }
});

test('the services are bounded, checked, and have longer to end than their drain takes', () => {
  let rendered = '';
  const { settings } = topologyOf();
  for (const { path, text } of renderCompose({ ...topologyOf(), image: 'downspout:1', environment })) {
    if (path === 'workers.yml') rendered = text;
  }
  const { services } = parse(rendered);
  expect(Object.keys(services)).toEqual(['worker-due', 'worker-webhook']);
  for (const [name, service] of Object.entries<Record<string, string>>(services)) {
    expect(service).toMatchObject({
      read_only: true,
      cap_drop: ['ALL'],
      restart: 'unless-stopped',
      deploy: { replicas: 2 },
    });
    const graceMs = Number.parseInt(service['stop_grace_period'] as string, 10) * 1_000;
    expect(graceMs).toBeGreaterThan(drainLimitMs([name.replace('worker-', '')], settings));
  }
});
