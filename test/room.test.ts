import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

const root = join(__dirname, '..');

function testRoom(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['test/room.mjs', ...args], {
    cwd: root,
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

test('exactly the tests of the room are run', () => {
  const { status, stdout } = testRoom('deploy/stack', '--listTests');
  expect(status).toBe(0);
  const folder = join(root, 'test', 'deploy', 'stack');
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.test.ts'));
  expect(stdout.trim().split('\n').toSorted()).toEqual(files.map((path) => join(folder, path)).toSorted());
});

test.each([[[]], [['bolt']], [['..']], [['--listTests']]])(
  '%j is no room: the rooms are named and the code is 2',
  (args) => {
    const { status, stdout, stderr } = testRoom(...args);
    expect(status).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^ {2}bolts$/m);
    expect(stderr).toMatch(/^ {2}connectors\/mysql$/m);
  },
);
