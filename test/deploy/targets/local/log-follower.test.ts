import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LogFollower } from '../../../../deploy/targets/local/log-follower';
import { rotateLog } from '../../../../deploy/targets/local/log-rotation';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'downspout-follow-'));
  path = join(folder, 'webhook-1.log');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('the last lines come first, then whole lines as they are written', () => {
  writeFileSync(path, 'one\ntwo\nthree\nfo');
  const { follower, last } = LogFollower.atEnd(path, 2);
  expect(last).toEqual(['two', 'three']);
  expect(follower.read()).toEqual([]);
  appendFileSync(path, 'ur\nfive\n');
  expect(follower.read()).toEqual(['four', 'five']);
});

test('no line is left out when the log is rotated meanwhile', () => {
  writeFileSync(path, 'one\n');
  const { follower } = LogFollower.atEnd(path, 0);
  appendFileSync(path, 'two\n');
  expect(rotateLog(path, 1)).toBe(true);
  appendFileSync(path, 'x\n');
  expect(follower.read()).toEqual(['two', 'x']);
});

test('of a long log only the end is looked at, from the first whole line on', () => {
  writeFileSync(path, 'first line\nsecond\nthird\n');
  expect(LogFollower.atEnd(path, 10, 15).last).toEqual(['second', 'third']);
});

test('a log that is not there yet has no lines', () => {
  expect(LogFollower.atEnd(path, 5).last).toEqual([]);
});
