import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { scrapeTargets } from '../../../../deploy/targets/local/scrape-targets';

let stateFolder: string;
let stackFolder: string;
beforeEach(() => {
  stateFolder = mkdtempSync(join(tmpdir(), 'downspout-state-'));
  stackFolder = mkdtempSync(join(tmpdir(), 'downspout-stack-'));
});
afterEach(() => {
  for (const folder of [stateFolder, stackFolder]) rmSync(folder, { recursive: true, force: true });
});

const read = (file: string): unknown => JSON.parse(readFileSync(file, 'utf8'));

test('a Prometheus on a host without a local stack finds the workers by a file of the state folder', () => {
  const tell = scrapeTargets({ stateFolder, supervisor: 'a1', stackFolder: null });
  const file = join(stateFolder, 'targets.json');
  tell(['http://127.0.0.1:4711', 'http://[::1]:4712']);
  expect(read(file)).toEqual([{ targets: ['127.0.0.1:4711', '[::1]:4712'] }]);
  tell(['http://127.0.0.1:4713']);
  expect(read(file)).toEqual([{ targets: ['127.0.0.1:4713'] }]);
  tell([]);
  expect(existsSync(file)).toBe(false);
});

test('the Prometheus of a local stack finds those of every supervisor on it', () => {
  const targets = join(stackFolder, 'prometheus', 'targets');
  mkdirSync(targets, { recursive: true });
  writeFileSync(join(targets, 'workers.json'), '[]');
  scrapeTargets({ stateFolder, supervisor: 'a1', stackFolder })(['http://127.0.0.1:1']);
  const second = mkdtempSync(join(stateFolder, 'second-'));
  scrapeTargets({ stateFolder: second, supervisor: 'b2', stackFolder })(['http://127.0.0.1:2']);
  expect(read(join(targets, 'workers-a1.json'))).toEqual([{ targets: ['127.0.0.1:1'] }]);
  expect(read(join(targets, 'workers-b2.json'))).toEqual([{ targets: ['127.0.0.1:2'] }]);
  expect(existsSync(join(targets, 'workers.json'))).toBe(false);
});

test('what could not be written is written the next time', () => {
  const tell = scrapeTargets({ stateFolder, supervisor: 'a1', stackFolder: null });
  const file = join(stateFolder, 'targets.json');
  mkdirSync(file);
  expect(() => tell(['http://127.0.0.1:1'])).toThrow('EISDIR');
  rmSync(file, { recursive: true });
  tell(['http://127.0.0.1:1']);
  expect(read(file)).toEqual([{ targets: ['127.0.0.1:1'] }]);
});

test('a file of an earlier version that cannot be removed ends no supervisor that starts', () => {
  const before = join(stackFolder, 'prometheus', 'targets', 'workers.json');
  mkdirSync(before, { recursive: true });
  const tell = scrapeTargets({ stateFolder, supervisor: 'a1', stackFolder });
  expect(() => tell(['http://127.0.0.1:1'])).toThrow('workers.json');
  rmSync(before, { recursive: true });
  tell(['http://127.0.0.1:1']);
  expect(read(join(stateFolder, 'targets.json'))).toEqual([{ targets: ['127.0.0.1:1'] }]);
});
