// Runs the tests of one room: `npm run test:room -- bolts`. What follows the room is Jest's: `-- bolts -t 'never early'`.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const [room, ...more] = process.argv.slice(2);

/** Folders that hold tests, down to the second level. */
function rooms() {
  const names = readdirSync(join(root, 'test'), { recursive: true }).flatMap((path) => {
    const [outer, inner, ...below] = path.split(sep);
    if (!path.endsWith('.test.ts') || inner === undefined) return [];
    return below.length === 0 ? [outer] : [outer, `${outer}/${inner}`];
  });
  return [...new Set(names)].toSorted((a, b) => a.localeCompare(b));
}

function isRoom(name) {
  const path = join(root, 'test', name);
  return !name.includes('..') && existsSync(path) && statSync(path).isDirectory();
}

/** Everything that means something in a regular expression means itself. */
const literally = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

if (room === undefined || room.startsWith('-') || !isRoom(room)) {
  const wrong = room === undefined ? 'Which room?' : `There are no tests of ${JSON.stringify(room)}.`;
  process.stderr.write(`${wrong} npm run test:room -- <room>, one of:\n  ${rooms().join('\n  ')}\n`);
  process.exitCode = 2;
} else {
  const jest = join(root, 'node_modules', 'jest', 'bin', 'jest.js');
  const folder = join(root, 'test', ...room.split('/').filter((part) => part !== ''));
  const args = [jest, '--testPathPatterns', `^${literally(folder)}/`, ...more];
  process.exitCode = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' }).status ?? 1;
}
