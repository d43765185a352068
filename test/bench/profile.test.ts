import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import type { Profiler } from 'node:inspector';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Output } from '../../deploy/console/output';
import { packageRoot } from '../../topology/settings/package';
import { BurstProfiler, type DrainProfile, letProfile } from './profile';
import { causeOf, type Frame, IDLE, samplesByCause } from './profile-causes';
import { profileTable } from './profile-report';

const ROOT = '/app/dist/';
const frame = (functionName: string, url = ''): Frame => ({ functionName, url });
const KAFKA = 'file:///app/node_modules/kafkajs/src';
const OWN = frame('advance', 'file:///app/dist/bolts/send-bolt.js');
const UNDICI = frame('writeH1', '/app/node_modules/undici/lib/dispatcher/client-h1.js');
const COMMONS = frame('writevGeneric', 'node:internal/stream_base_commons');

test.each<[string, Frame[]]>([
  ['bolts/send-bolt.ts', [OWN]],
  ['bolts/send-bolt.ts', [frame('set'), OWN]],
  ['kafkajs: encode and decode', [frame('writeInt32', `${KAFKA}/protocol/encoder.js`), OWN]],
  ['kafkajs: the rest', [frame('send', `${KAFKA}/network/connection.js`), OWN]],
  ['mysql2', [frame('TextRow'), frame('parse', '/app/node_modules/mysql2/lib/packets/packet.js')]],
  ['mysql2', [frame('escape', 'file:///app/node_modules/sql-escaper/lib/index.js'), OWN]],
  ['undici', [frame('concat'), UNDICI]],
  ['undici', [frame('wasm-function[20]', 'wasm://wasm/00034eea')]],
  ['undici: socket writes', [frame('writev'), COMMONS, frame('uncork', 'node:internal/streams/writable'), UNDICI, OWN]],
  ['@scope/a', [frame('f', 'file:///app/node_modules/@scope/a/index.js'), OWN]],
  ['JSON', [frame('JSON.stringify', 'file:///app/dist/test/bench/profile-hook.js'), OWN]],
  ['URLs', [frame('parse'), frame('#parse', 'node:internal/url'), OWN]],
  ['hashing', [frame('update'), frame('update', 'node:internal/crypto/hash'), OWN]],
  ['garbage collection', [frame('(garbage collector)'), OWN]],
  ['native code without a name', [frame('(program)'), frame('(root)')]],
  ['idle', [frame('(idle)'), frame('(root)')]],
  ['node: sockets and streams', [frame('emit', 'node:events'), frame('onStreamRead', COMMONS.url), frame('(root)')]],
  ['node: timers and ticks', [frame('runMicrotasks'), frame('processTicks', 'node:internal/process/task_queues')]],
  ['elsewhere', [frame('f', 'file:///tmp/script.js')]],
])('a sample counts for %s by its stack', (cause, stack) => {
  expect(causeOf(stack, ROOT)).toBe(cause);
});

test('only samples within the window count', () => {
  const nodes = [
    { id: 1, callFrame: { ...frame('(root)'), scriptId: '0', lineNumber: -1, columnNumber: -1 }, children: [2, 3] },
    { id: 2, callFrame: { ...OWN, scriptId: '1', lineNumber: 1, columnNumber: 1 } },
    { id: 3, callFrame: { ...frame('(idle)'), scriptId: '0', lineNumber: -1, columnNumber: -1 } },
  ];
  const profile = { nodes, samples: [2, 2, 3, 2, 3], timeDeltas: [10, 10, 10, 10, 10], startTime: 100, endTime: 150 };
  expect(samplesByCause(profile, ROOT, [120, 140])).toEqual(
    new Map([
      ['bolts/send-bolt.ts', 2],
      [IDLE, 1],
    ]),
  );
});

/** Works for as long as its input is open, and says so after each round. */
const SCRIPT = `
  const { createHash } = require('node:crypto');
  const Encoder = require(${JSON.stringify(join(packageRoot(), 'node_modules/kafkajs/src/protocol/encoder.js'))});
  const text = JSON.stringify(Array.from({ length: 2_000 }, (_, n) => ({ n, text: 'x'.repeat(50) })));
  const bytes = Buffer.alloc(4_000_000);
  function own(until) { let sum = 0; for (let n = 0; n < until; n++) sum = (sum * 31 + n) % 1_000_003; return sum; }
  function round() {
    for (let n = 0; n < 100; n++) JSON.parse(text);
    for (let n = 0; n < 10; n++) createHash('sha256').update(bytes).digest();
    for (let n = 0; n < 200; n++) { const e = new Encoder(); for (let m = 0; m < 300; m++) e.writeVarInt(m).writeVarIntString('key'); }
    own(10_000_000);
    console.log('round');
    setImmediate(round);
  }
  process.stdin.on('end', () => process.exit()).resume();
  round();
`;

describe('a process under the hook', () => {
  let folder: string;
  let child: ChildProcess;
  const environment = { ...process.env };

  beforeEach(() => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'profile-')));
    letProfile(join(folder, 'profiles'));
    const script = join(folder, 'script.js');
    writeFileSync(script, SCRIPT);
    child = spawn(process.execPath, [script], { env: process.env, stdio: ['pipe', 'pipe', 'inherit'] });
  });

  afterEach(async () => {
    const ended = once(child, 'exit');
    child.stdin?.end();
    await ended;
    for (const name of ['NODE_OPTIONS', 'BENCH_PROFILES']) {
      if (environment[name] === undefined) delete process.env[name];
      else process.env[name] = environment[name];
    }
    rmSync(folder, { recursive: true });
  });

  test('is profiled between two signals, and its CPU time is shared out to what it did', async () => {
    const lines = createInterface({ input: child.stdout as NonNullable<ChildProcess['stdout']> });
    const rounds = async (count: number) => {
      for (let n = 0; n < count; n++) await once(lines, 'line');
    };
    await rounds(1);
    const watched = [
      { name: 'script-1', pid: child.pid as number },
      { name: 'other', pid: process.pid },
    ];
    const profiler = new BurstProfiler(join(folder, 'profiles'), watched);
    await profiler.start();
    await rounds(1);
    profiler.drainBegins();
    await rounds(4);
    profiler.drainEnds();
    await profiler.stop();
    const usage = [{ name: 'script-1', cpuSeconds: 3, peakBytes: 0 }];
    const plain = [{ name: 'script-1', cpuSeconds: 2, peakBytes: 0 }];
    const report = profiler.report('burst', 1_000, usage, plain);

    expect(report.overhead).toBe(1.5);
    expect(report.seconds).toBeGreaterThan(0);
    const [script, other] = report.processes as [DrainProfile['processes'][0], DrainProfile['processes'][0]];
    expect(other).toMatchObject({ name: 'other', causes: {} });
    expect(other.file).toBeUndefined();
    const { causes, microsPerMessage } = script;
    const sum = Object.values(causes).reduce((total, micros) => total + micros, 0);
    expect(sum).toBeGreaterThan(0);
    expect(sum).toBeLessThanOrEqual(microsPerMessage * 1.001);
    for (const cause of ['JSON', 'hashing', 'kafkajs: encode and decode', 'elsewhere']) {
      expect([cause, (causes[cause] ?? 0) > sum / 50]).toEqual([cause, true]);
    }
    // Of the rounds before and after nothing counts: they are in the file, and outside of the window.
    const profile = JSON.parse(readFileSync(script.file as string, 'utf8')) as Profiler.Profile;
    const counts = (from: number, to: number) =>
      [...samplesByCause(profile, ROOT, [from, to]).values()].reduce((total, count) => total + count, 0);
    expect(profile.endTime - profile.startTime).toBeGreaterThan(report.seconds * 1e6);
    expect(counts(0, profile.startTime - 1)).toBe(0);
    expect(counts(0, Number.POSITIVE_INFINITY)).toBe(profile.samples?.length);
  });

  test('is needed: without one there is nothing to profile', () => {
    const watched = [{ name: 'other', pid: process.pid }];
    expect(() => new BurstProfiler(join(folder, 'profiles'), watched)).toThrow('no process of the measurement listens');
  });

  test('can be profiled a second time', async () => {
    await once(child.stdout as NonNullable<ChildProcess['stdout']>, 'data');
    const watched = [{ name: 'script-1', pid: child.pid as number }];
    for (const name of ['first', 'second']) {
      const profiler = new BurstProfiler(join(folder, 'profiles'), watched);
      await profiler.start();
      profiler.drainBegins();
      profiler.drainEnds();
      await profiler.stop();
      const [script] = profiler.report(name, 1, [], []).processes;
      expect(script?.file).toBe(join(folder, 'profiles', `${name}-script-1.cpuprofile`));
    }
  });
});

const of = (name: string, causes: Record<string, number>, microsPerMessage: number) => ({
  name,
  causes,
  microsPerMessage,
  idle: 0.25,
  file: `${name}.cpuprofile`,
});

test('the table sums up the processes of a component, what costs little, and other threads', () => {
  const profile: DrainProfile = {
    seconds: 1.5,
    overhead: 1.04,
    processes: [
      of('webhook-1', { undici: 20, JSON: 0.1, URLs: 0.2 }, 21.3),
      of('webhook-2', { undici: 10, JSON: 0.1 }, 10.1),
      of('due-1', { JSON: 4 }, 5),
      { name: 'mysql', causes: {}, microsPerMessage: 113 },
    ],
  };
  const text = profileTable(new Output({}), 'burst', profile);
  const row = (cause: string) =>
    text
      .split('\n')
      .find((line) => line.startsWith(cause))
      ?.slice(cause.length)
      .trim()
      .split(/\s+/)
      .map(Number);
  expect(row('undici')).toEqual([30, 0]);
  expect(row('JSON')).toEqual([0.2, 4]);
  expect(row('causes below 0.5 µs each')).toEqual([0.2, 0]);
  expect(row("other threads: V8's collector, compiler and profiler")).toEqual([1, 1]);
  expect(row('all')).toEqual([31.4, 5]);
  expect(text).toContain('mysql 113.0');
  expect(text).toContain('webhook-1 25 %');
  expect(text).toContain('1.04 times');
});
