import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lastWords, rotateLog } from '../../../../deploy/targets/local/log-rotation';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'downspout-logs-'));
  path = join(folder, 'due-1.log');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const line = (level: number, msg: string) => `${JSON.stringify({ level, msg })}\n`;

test('a log stays below its bound, and six files at most are kept of it', () => {
  for (let n = 1; n <= 8; n++) {
    appendFileSync(path, `${n}`.repeat(11));
    expect(rotateLog(path, 10)).toBe(true);
  }
  expect(readFileSync(path, 'utf8')).toBe('');
  expect([1, 2, 3, 4, 5].map((n) => readFileSync(`${path}.${n}`, 'utf8')[0])).toEqual(['8', '7', '6', '5', '4']);
  expect(existsSync(`${path}.6`)).toBe(false);
});

test('a log below its bound is left alone, and so is one that is not there', () => {
  expect(rotateLog(path, 10)).toBe(false);
  writeFileSync(path, 'short');
  expect(rotateLog(path, 10)).toBe(false);
  expect(existsSync(`${path}.1`)).toBe(false);
});

test('the last words of a worker are its last error, else its last line', () => {
  expect(lastWords(path, 0)).toBeNull();
  writeFileSync(path, line(50, 'of the life before'));
  const from = readFileSync(path).length;
  appendFileSync(path, line(60, 'ending: no component "x"') + line(30, 'ended'));
  expect(lastWords(path, from)).toBe('ending: no component "x"');
  appendFileSync(path, line(30, 'running'));
  expect(lastWords(path, readFileSync(path).length - line(30, 'running').length)).toBe('running');
  writeFileSync(path, 'error: WORKER_DATABASE_URL is not set.\n');
  expect(lastWords(path, 10_000)).toBe('error: WORKER_DATABASE_URL is not set.');
});
