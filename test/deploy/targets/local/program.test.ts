import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { programOf, watchVersion } from '../../../../deploy/targets/local/program';
import { ManualClock } from '../../../support/manual-clock';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'downspout-program-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A package of this version. @returns its program */
function installed(name: string, version: string): string {
  const program = join(folder, name, 'dist', 'deploy', 'cli', 'downspout.js');
  mkdirSync(dirname(program), { recursive: true });
  writeFileSync(program, '');
  writeFileSync(join(folder, name, 'package.json'), JSON.stringify({ version }));
  return program;
}

test('a release runs the program that it names, or the own one of this host when that is of the same version', () => {
  const [one, own] = [installed('one', '1.0.0'), installed('own', '2.0.0')];
  expect(programOf({ program: one, packageVersion: '1.0.0' }, own)).toEqual({ program: one });
  expect(programOf({ program: '/not/here', packageVersion: '2.0.0' }, own)).toEqual({ program: own });
  expect(programOf({ program: null, packageVersion: '2.0.0' }, own)).toEqual({ program: own });
});

test('a program over which another version was installed is not that of the earlier release', () => {
  const own = installed('own', '2.0.0');
  for (const program of [own, null, '/not/here']) {
    expect(programOf({ program, packageVersion: '1.0.0' }, own)).toEqual({
      missing: expect.stringMatching(/the release runs downspout 1\.0\.0, and this host has .*downspout 2\.0\.0 at /),
    });
  }
});

test('a version that is installed over the one that runs is told once', async () => {
  const clock = new ManualClock();
  const ending = new AbortController();
  const said: string[] = [];
  let version: string | null = '1.0.0';
  const watching = watchVersion(
    clock,
    ending.signal,
    (text) => said.push(text),
    () => version,
  );
  // While it is installed there is none for a moment.
  for (const next of ['1.0.0', null, '2.0.0', '2.0.0', '1.0.0']) {
    version = next;
    await clock.advance(20_000);
  }
  ending.abort();
  await watching;
  expect(said).toEqual([
    expect.stringMatching(/^downspout 2\.0\.0 was installed over 1\.0\.0: .*Deploy that version now/),
  ]);
});
