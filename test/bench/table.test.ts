import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { systemClock } from '../../topology/core/clock';
import type { TableFigure, TableReport } from './table';
import { keepsBound, missedOf, printTable } from './table-report';
import { TimedVerb } from './timed-verb';

const figure: TableFigure = { name: 'status', ms: [900, 1_000], mostMs: 1_000, note: '' };

test('a figure keeps its bound when it does so every time', () => {
  expect(keepsBound(figure)).toBe(true);
  expect(keepsBound({ ...figure, ms: [900, 1_001] })).toBe(false);
});

test('a verb that fails does not keep its bound, however quick it is', () => {
  expect(keepsBound({ ...figure, note: 'exit code 1' })).toBe(false);
});

test('a figure without a bound is only shown', () => {
  expect(keepsBound({ ...figure, mostMs: null, ms: [1e6] })).toBe(true);
});

const MIB = 1024 ** 2;
const kept: TableReport = {
  rows: 10,
  figures: [figure],
  spoutPeakBytes: [100 * MIB, 132 * MIB],
  insertedPerSecond: 3_000,
  startMs: 700,
};

test('bounds of the whole run that are just kept are not reported', () => {
  expect(missedOf(kept)).toEqual([]);
});

test.each([
  ['fewer than 3,000 rows/s were inserted meanwhile', { insertedPerSecond: 2_999 }],
  ['fewer than 3,000 rows/s were inserted meanwhile', { insertedPerSecond: Number.NaN }],
  ['a spout needs more memory beside the full table', { spoutPeakBytes: [100 * MIB, 133 * MIB] as const }],
])('a bound of the whole run that is missed is reported: %s', (text, change) => {
  expect(missedOf({ ...kept, ...change })).toEqual([text]);
});

test('what is missed is printed and fails the run, and what is left out is said', () => {
  const written: string[] = [];
  const write = jest.spyOn(process.stdout, 'write').mockImplementation((text) => written.push(String(text)) > 0);
  try {
    expect(printTable(kept, false)).toBe(true);
    expect(printTable({ ...kept, insertedPerSecond: 10 }, false)).toBe(false);
    expect(printTable({ ...kept, figures: [{ ...figure, ms: [1_001] }] }, false)).toBe(false);
  } finally {
    write.mockRestore();
  }
  const [first, second, third] = written;
  expect(first).toContain('what they take besides, 700 ms, is left out');
  expect(first).not.toContain('MISSED');
  expect(second).toContain('MISSED: fewer than 3,000 rows/s');
  expect(third).toMatch(/status .*MISSED/);
});

/** A program that loads for a while, asks and ends when it is answered. */
const ASKS = `
  const until = performance.now() + 200;
  while (performance.now() < until);
  require('node:net').connect(Number(process.argv[1]), '127.0.0.1').on('close', () => process.exit()).resume();
`;

test('of a verb counts what goes by from its first connection on', async () => {
  const verb = new TimedVerb();
  const server = createServer((socket) => socket.end()).listen(0, '127.0.0.1');
  try {
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const begun = systemClock.monotonic();
    const child = spawn(process.execPath, ['-e', ASKS, String(port)], { env: { ...process.env, ...verb.environment } });
    await once(child, 'close');
    const whole = systemClock.monotonic() - begun;
    const asked = verb.read();
    expect(asked).toBeGreaterThan(0);
    expect(whole - asked).toBeGreaterThanOrEqual(200);
    expect(() => verb.read()).toThrow('ENOENT');
  } finally {
    server.close();
    verb.close();
  }
});
