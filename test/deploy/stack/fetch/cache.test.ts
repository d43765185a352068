import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Cache, cacheFolder } from '../../../../deploy/stack/fetch/cache';
import { systemClock } from '../../../../topology/core/clock';

let directory: string;
let fills: number;
const nothing = () => undefined;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'cache-'));
  fills = 0;
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

async function fill(folder: string): Promise<void> {
  fills++;
  mkdirSync(join(folder, 'lib'));
  writeFileSync(join(folder, 'lib', 'a.jar'), 'content');
}

async function fillHalf(folder: string): Promise<void> {
  await fill(folder);
  throw new Error('the line went dead');
}

function obtain(): Promise<string> {
  return new Cache(directory, systemClock).obtain('part-1', fill, nothing);
}

describe('Cache', () => {
  it('fetches once', async () => {
    const folder = await obtain();
    expect(await obtain()).toBe(folder);
    expect(fills).toBe(1);
    expect(new Cache(directory, systemClock).has('part-1')).toBe(true);
    expect(new Cache(directory, systemClock).has('part-2')).toBe(false);
  });

  it('All or nothing', async () => {
    const cache = new Cache(directory, systemClock);
    await expect(cache.obtain('part-1', fillHalf, nothing)).rejects.toThrow('the line went dead');
    expect(readdirSync(directory)).toEqual([]);
    await obtain();
    expect(fills).toBe(2);
  });

  it('removes what a killed download left', async () => {
    mkdirSync(join(directory, 'part-1.part-x1y2z3'));
    await obtain();
    expect(readdirSync(directory)).toEqual(['part-1']);
  });

  it.each([
    ['cut short', (path: string) => truncateSync(path, 3)],
    ['missing', (path: string) => rmSync(path)],
    ['written over', (path: string) => utimesSync(path, 1, 1)],
  ])('Damage is noticed: a file %s', async (_what, damage) => {
    const folder = await obtain();
    damage(join(folder, 'lib', 'a.jar'));
    await obtain();
    expect(fills).toBe(2);
    expect(readFileSync(join(folder, 'lib', 'a.jar'), 'utf8')).toBe('content');
  });

  it('Two checkouts at once do not clash', async () => {
    const folders = await Promise.all([obtain(), obtain(), obtain()]);
    expect(new Set(folders).size).toBe(1);
    expect(fills).toBe(1);
  });

  it('honours XDG_CACHE_HOME', () => {
    expect(cacheFolder({ XDG_CACHE_HOME: '/x' })).toBe('/x/downspout');
    expect(cacheFolder({})).toMatch(/\.cache\/downspout$/);
  });
});
