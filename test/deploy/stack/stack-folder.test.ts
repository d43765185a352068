import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stackFolder } from '../../../deploy/stack/stack-folder';

let folder: string;
let inner: string;
const user = process.getuid?.() as number;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'downspout-folder-'));
  inner = join(folder, 'a', 'b');
  mkdirSync(inner, { recursive: true });
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function makeStack(at = folder): string {
  const stack = join(at, '.downspout');
  mkdirSync(stack);
  for (const file of ['stack.json', 'env.json']) writeFileSync(join(stack, file), '{}', { mode: 0o600 });
  return stack;
}

test('the nearest stack upward is found; without one, a package has it in the current folder', () => {
  expect(stackFolder(inner, '/x/node_modules/downspout')).toBe(join(inner, '.downspout'));
  expect(stackFolder(inner, '/x/checkout')).toBe('/x/checkout/.downspout');
  expect(stackFolder(inner)).not.toContain(folder);
  expect(makeStack()).toBe(stackFolder(inner));
});

test('a stack of another user is not believed, and its owner is named', () => {
  const stack = makeStack();
  expect(() => stackFolder(inner, '/x', user + 1)).toThrow(
    new RegExp(`^${stack} belongs to another user \\(${user}\\), so its settings are not used`),
  );
});

test.each(['', 'stack.json', 'env.json'])('a stack whose %j everybody may write to is not believed', (file) => {
  const path = join(makeStack(), file);
  chmodSync(path, 0o777);
  expect(() => stackFolder(inner)).toThrow(/^Everybody may write to .*: chmod o-w /);
});

test('a link to a stack is believed when both are ours', () => {
  const stack = makeStack(inner);
  symlinkSync(stack, join(folder, '.downspout'));
  expect(stackFolder(join(folder, 'a'))).toBe(join(folder, '.downspout'));
  chmodSync(join(stack, 'env.json'), 0o666);
  expect(() => stackFolder(join(folder, 'a'))).toThrow(/^Everybody may write to/);
});
