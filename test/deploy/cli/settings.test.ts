import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { readSettings } from '../../../deploy/cli/settings';
import { Output } from '../../../deploy/console/output';

let folder: string;
const before = process.env['KAFKA_BROKERS'];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'downspout-settings-'));
  mkdirSync(join(folder, '.downspout'));
  mkdirSync(join(folder, 'a', 'b'), { recursive: true });
  delete process.env['KAFKA_BROKERS'];
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
  if (before === undefined) delete process.env['KAFKA_BROKERS'];
  else process.env['KAFKA_BROKERS'] = before;
});

function write(text: string): void {
  writeFileSync(join(folder, '.downspout', 'stack.json'), '{}');
  writeFileSync(join(folder, '.downspout', 'env.json'), text);
}

test('the local stack is found from a folder below it', () => {
  write('{"KAFKA_BROKERS":"127.0.0.1:1234"}');
  const settings = readSettings(undefined, join(folder, 'a', 'b'));
  expect(settings.environment.KAFKA_BROKERS).toEqual(['127.0.0.1:1234']);
  expect(settings.stackFolder).toBe(join(folder, '.downspout'));
});

test('the environment goes before the local stack', () => {
  write('{"KAFKA_BROKERS":"127.0.0.1:1234"}');
  process.env['KAFKA_BROKERS'] = 'broker:9092';
  expect(readSettings(undefined, folder).environment.KAFKA_BROKERS).toEqual(['broker:9092']);
});

test('--verbose says where settings come from, by name and never by value', () => {
  write('{"DATABASE_URL":"mysql://app:hush@127.0.0.1:1/downspout"}');
  const err = new PassThrough();
  readSettings(new Output({ verbose: true }, new PassThrough(), err), folder);
  const text = String(err.read());
  expect(text).toContain('DATABASE_URL');
  expect(text).not.toContain('hush');
});

test.each(['{"KAFKA_BROKERS":', '[]', 'null'])('a broken file %j is named', (text) => {
  write(text);
  expect(() => readSettings(undefined, folder)).toThrow(/env\.json: .*downspout up/);
});
