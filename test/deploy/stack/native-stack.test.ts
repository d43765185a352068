import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Listener, listenerOn } from '../../../deploy/stack/host/listener';
import { ask, freePort } from '../../../deploy/stack/host/ports';
import { type ProcessRecord, recordOf } from '../../../deploy/stack/host/processes';
import { NativeStack } from '../../../deploy/stack/native-stack';
import type { Part, PartContext } from '../../../deploy/stack/parts/part';
import type { PartEvent } from '../../../deploy/stack/stack';
import { systemClock } from '../../../topology/core/clock';
import { until } from '../../support/until';

let folder: string;
let events: string[];
let script: string;
let variables: Record<string, string>;
let once: string[];
/** Looks that a part is too busy to answer. */
let busyLooks: number;
/** Is called before a part is started. */
let beforeStart: (name: string, port: number) => Promise<void>;

const SERVES = "require('net').createServer((s) => s.end('hello')).listen(+process.argv[1], '127.0.0.1')";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'stack-'));
  events = [];
  script = SERVES;
  variables = {};
  once = [];
  busyLooks = 0;
  beforeStart = async () => undefined;
});
afterEach(async () => {
  await stack().down(true, () => undefined);
  rmSync(folder, { recursive: true, force: true });
});

/** A program of Node that serves on the part's port, under the name of a real part. */
function part(name: string, needed: boolean, { ports, folder: at }: PartContext): Part {
  const port = ports[name] as number;
  return {
    name,
    needed,
    version: '1.0',
    port,
    graceMs: 5_000,
    fetch: async () => undefined,
    prepare: async () => {
      mkdirSync(join(at, name), { recursive: true });
      await beforeStart(name, port);
      const logFile = join(at, 'logs', `${name}.log`);
      return {
        command: process.execPath,
        args: ['-e', script, String(port)],
        once,
        cwd: at,
        logFile,
        configuration: '',
      };
    },
    ready: async () => (name !== 'mysql' || busyLooks-- <= 0) && (await ask(port, null, 500)) !== null,
  };
}

function stack(at = folder): NativeStack {
  return new NativeStack({
    folder: at,
    clock: systemClock,
    variables,
    parts: (context) => [part('mysql', true, context), part('prometheus', false, context)],
  });
}

function up(): Promise<Record<string, string>> {
  events = [];
  return stack().up(({ part: name, stage }: PartEvent) => events.push(`${name} ${stage}`));
}

function pidOf(name: string, at = folder): number {
  return stack(at)
    .running()
    .find((one) => one.part === name)?.pid as number;
}

/** Each part is on its port itself. */
function listeners(at = folder): Listener[] {
  return stack(at)
    .running()
    .map(({ pid, port }) => listenerOn(port as number, recordOf(pid) as ProcessRecord));
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}

/** Resolves when it was called so often. */
function counted(times: number): [done: Promise<void>, call: () => void] {
  let left = times;
  let resolveAll: () => void;
  const done = new Promise<void>((resolve) => {
    resolveAll = resolve;
  });
  return [done, () => --left === 0 && resolveAll()];
}

/** Another program: it answers as the part does. */
function occupy(port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.on('connection', (socket) => socket.end('hello'));
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}

const portOf = (settings: Record<string, string>) => Number(new URL(settings['DATABASE_URL'] as string).port);

describe('NativeStack', () => {
  it('writes the settings where only their owner can read them', async () => {
    const settings = await up();
    const file = join(folder, 'env.json');
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(settings);
    expect(Object.keys(settings)).toEqual(
      expect.arrayContaining(['DATABASE_URL', 'WORKER_DATABASE_URL', 'ADMIN_DATABASE_URL', 'CDC_DATABASE_URL']),
    );
    for (const name of ['env.json', 'stack.json', 'secret.key']) {
      expect(statSync(join(folder, name)).mode & 0o777).toBe(0o600);
    }
    expect(Buffer.from(readFileSync(settings['DOWNSPOUT_SECRET_KEY_FILE'] as string, 'utf8'), 'base64')).toHaveLength(
      32,
    );
  });

  it('Starting is idempotent', async () => {
    const first = await up();
    expect(events).toEqual(expect.arrayContaining(['mysql ready', 'prometheus ready']));
    const pid = pidOf('mysql');
    process.kill(pidOf('prometheus'), 'SIGKILL');
    expect(await up()).toEqual(first);
    expect(events).toEqual(expect.arrayContaining(['mysql kept', 'prometheus ready']));
    expect(pidOf('mysql')).toBe(pid);
  });

  it('Starting is idempotent: what a program was told for one start alone does not count', async () => {
    script = "require('fs').writeFileSync('told', process.argv.slice(2).join())\n" + SERVES;
    once = ['--alone'];
    await up();
    expect(readFileSync(join(folder, 'told'), 'utf8')).toBe('--alone');
    once = [];
    await up();
    expect(events).toEqual(expect.arrayContaining(['mysql kept', 'prometheus kept']));
  });

  it('Starting is idempotent: a part that is too busy to answer at once is kept', async () => {
    await up();
    const pid = pidOf('mysql');
    busyLooks = 3;
    await up();
    expect(events).toContain('mysql kept');
    expect(pidOf('mysql')).toBe(pid);
  });

  it('Starting is idempotent: two at the same time', async () => {
    await Promise.all([up(), up()]);
    expect(events.filter((event) => event.endsWith('ready'))).toHaveLength(2);
    expect(events.filter((event) => event.endsWith('kept'))).toHaveLength(2);
  });

  it('Starting is idempotent: what is configured otherwise is started anew', async () => {
    await up();
    const pid = pidOf('mysql');
    script = `${SERVES};`;
    await up();
    expect(events).toContain('mysql ready');
    expect(pidOf('mysql')).not.toBe(pid);
  });

  it('Two checkouts run side by side: a port that was taken meanwhile is changed', async () => {
    const before = new URL((await up())['DATABASE_URL'] as string).port;
    await stack().down(false, () => undefined);
    const server = await occupy(Number(before));
    const after = new URL((await up())['DATABASE_URL'] as string).port;
    expect(after).not.toBe(before);
    await closed(server);
  });

  it('Two checkouts run side by side: two that start at one moment and had the same ports', async () => {
    const second = join(folder, 'second');
    const first = await up();
    await stack().down(false, () => undefined);
    mkdirSync(second);
    copyFileSync(join(folder, 'stack.json'), join(second, 'stack.json'));
    // Both have chosen when the first part starts.
    const [bothChose, chose] = counted(2);
    beforeStart = async (name) => {
      if (name === 'mysql') chose();
      await bothChose;
    };
    try {
      const both = await Promise.all([up(), stack(second).up(() => undefined)]);
      const ports = both.map(portOf);
      expect(ports).toContain(portOf(first));
      expect(new Set(ports).size).toBe(2);
      expect([...listeners(), ...listeners(second)]).toEqual(Array(4).fill('itself'));
    } finally {
      await stack(second).down(true, () => undefined);
    }
  });

  it.each([
    ['ends', SERVES],
    ['waits for ever', `process.on('uncaughtException', () => setInterval(() => {}, 1e6)); ${SERVES}`],
  ])(
    'takes no other program for its part that answers on the port: it has another one when its part %s',
    async (_, program) => {
      script = program;
      const before = portOf(await up());
      await stack().down(false, () => undefined);
      const others: Server[] = [];
      beforeStart = async (name, port) => {
        if (name === 'mysql' && others.length === 0) others.push(await occupy(port));
      };
      const after = portOf(await up());
      expect(after).not.toBe(before);
      expect(listeners()).toEqual(['itself', 'itself']);
      expect(events).toEqual(expect.arrayContaining(['stack starting', 'mysql ready', 'prometheus ready']));
      await Promise.all(others.map(closed));
    },
  );

  it('takes no other program for its part that runs without its port', async () => {
    // Ends listening when it is told to, and lives on.
    script = `${SERVES}.on('connection', function (s) { s.once('data', () => { this.close(); setInterval(() => {}, 1e6); }); })`;
    const port = portOf(await up());
    const pid = pidOf('mysql');
    await ask(port, Buffer.from('close'), 5_000);
    let other: Server | undefined;
    await until('the port is free', async () => {
      other = await occupy(port).catch(() => undefined);
      return other !== undefined;
    });
    expect(portOf(await up())).not.toBe(port);
    expect(pidOf('mysql')).not.toBe(pid);
    expect(listeners()).toEqual(['itself', 'itself']);
    await closed(other as Server);
  });

  it('says so when another program takes a port that it was told', async () => {
    const port = await freePort(new Set());
    variables = { MYSQL_PORT: String(port) };
    const others: Server[] = [];
    beforeStart = async (name) => {
      if (name === 'mysql') others.push(await occupy(port));
    };
    await expect(up()).rejects.toThrow(`MYSQL_PORT: port ${port} is taken`);
    expect(others).toHaveLength(1);
    await Promise.all(others.map(closed));
  });

  it('takes the ports that it is told, and says when one is taken', async () => {
    const port = await freePort(new Set());
    variables = { MYSQL_PORT: String(port) };
    const server = await occupy(port);
    await expect(up()).rejects.toThrow(`MYSQL_PORT: port ${port} is taken`);
    await closed(server);
    expect(new URL((await up())['DATABASE_URL'] as string).port).toBe(String(port));
  });

  it('A failure explains itself', async () => {
    script = "console.error('No space left on device'); process.exitCode = 3";
    const failure = await up().catch((error: unknown) => String(error));
    expect(failure).toContain('mysql ended while starting');
    expect(failure).toContain('| No space left on device');
    expect(failure).toContain('Make room');
    expect(failure).not.toContain('prometheus ended');
    expect(events).toEqual(expect.arrayContaining(['mysql failed', 'prometheus skipped']));
    script = SERVES;
    expect(await up()).toHaveProperty('DATABASE_URL');
  });

  it('stops what it started, and wipes its own data only', async () => {
    await up();
    const pid = pidOf('mysql');
    mkdirSync(join(folder, 'test'));
    await stack().down(false, () => undefined);
    expect(recordOf(pid)).toBeNull();
    expect(existsSync(join(folder, 'mysql'))).toBe(true);
    await stack().down(true, () => undefined);
    expect(existsSync(join(folder, 'mysql'))).toBe(false);
    expect(existsSync(join(folder, 'test'))).toBe(true);
  });
});
