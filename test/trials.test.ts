import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import type * as trials from './support/trials';

const root = join(__dirname, '..');
const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
const given = { ...process.env };

/** What a day's run of the tests asks for. @param whole as `npm run test:trials` does */
function on(day: number | string, whole = false): typeof trials {
  process.env = { ...given, TRIALS_DAY: String(day), TRIALS: whole ? 'whole' : '' };
  jest.resetModules();
  return require('./support/trials') as typeof trials;
}

afterEach(() => {
  process.env = given;
});

test('each trial is run once within so many days, and those of each day beside them', () => {
  const shares: string[] = [];
  for (const day of [20_000, 20_001, 20_002]) {
    const { shareOfToday } = on(day);
    const share = shareOfToday(names, 3);
    expect(share.length).toBeGreaterThan(1);
    expect(shareOfToday(names, 3)).toEqual(share);
    expect(shareOfToday(names, 3, (name) => name === 'c')).toEqual([...new Set([...share, 'c'])].toSorted());
    shares.push(...share);
  }
  expect(shares.toSorted()).toEqual(names);
});

test('each seed is run once within so many days', () => {
  const seeds: number[] = [];
  for (const day of [20_000, 20_001, 20_002, 20_003]) {
    const { first, count } = on(day).seedsOfToday(40, 4);
    seeds.push(...Array.from({ length: count }, (_, n) => first + n));
  }
  expect(seeds.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, n) => n + 1));
});

test('a day that is none runs nothing, so it is refused', () => {
  for (const day of ['', 'today', '-1', '1.5']) expect(() => on(day)).toThrow('TRIALS_DAY');
});

test('test:trials runs all of them, whatever the day', () => {
  const { shareOfToday, seedsOfToday } = on(20_001, true);
  expect(shareOfToday(names, 3)).toEqual(names);
  expect(seedsOfToday(40, 4)).toEqual({ first: 1, count: 40 });
});

test('test:trials runs the files that ask for a share, and no others; a word chooses among them', () => {
  const { status, stdout } = spawnSync(process.execPath, ['test/all.mjs', '--trials', 'simulation/', '--listTests'], {
    cwd: root,
    encoding: 'utf8',
  });
  expect(status).toBe(0);
  const files = ['lateness', 'mutations', 'simulation'].map((name) => join(root, 'test/simulation', `${name}.test.ts`));
  expect(
    stdout
      .split('\n')
      .filter((line) => line.endsWith('.test.ts'))
      .toSorted(),
  ).toEqual(files);
});
