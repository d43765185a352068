// Makes a fresh clone ready: the packages and the build. Plain Node, because nothing is installed yet; quiet when there
// is nothing to do. `npm start`, `npm test` and `npm run check` run it first.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const OLDEST_NODE = [20, 19];
const SOURCES = ['topology', 'spouts', 'bolts', 'connectors', 'deploy', 'test'];

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

function nodeIsTooOld() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  return major < OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor < OLDEST_NODE[1]);
}

/** Whether node_modules holds what package-lock.json says, by npm's own note of what it installed. */
function packagesAreInstalled() {
  try {
    const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
    const installed = JSON.parse(readFileSync(join(root, 'node_modules', '.package-lock.json'), 'utf8')).packages;
    return Object.entries(wanted).every(
      ([path, entry]) =>
        path === '' ||
        entry.optional === true ||
        entry.devOptional === true ||
        (installed[path]?.version === entry.version && existsSync(join(root, path))),
    );
  } catch {
    return false;
  }
}

/** Every source with its time of change: when this differs from the last build, another is due. */
function sourcesNow() {
  const lines = [];
  const add = (path) => lines.push(`${path} ${statSync(join(root, path)).mtimeMs}`);
  const walk = (folder) => {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) walk(path);
      else if (entry.name.endsWith('.ts')) add(path);
    }
  };
  for (const folder of SOURCES) if (existsSync(join(root, folder))) walk(folder);
  for (const file of ['tsconfig.json', 'tsconfig.build.json', 'package-lock.json']) add(file);
  return lines.toSorted((a, b) => (a < b ? -1 : 1)).join('\n');
}

function run(what, command, args, hint) {
  process.stdout.write(`set-up: ${what}\n`);
  const result = spawnSync(command, args, {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
    shell: false,
  });
  if (result.status === 0) return true;
  const output = `${result.stdout ?? ''}${result.stderr ?? ''}`.trimEnd() || (result.error?.message ?? '');
  process.stderr.write(`${output}\nset-up: \`${command} ${args.join(' ')}\` failed. ${hint}\n`);
  process.exitCode = 1;
  return false;
}

/**
 * What the lock file names, and the binaries of this platform. Not `npm ci`: versions of npm differ in which packages of other
 * platforms they expect in a lock file, and it refuses what it does not expect.
 */
function install() {
  return run(
    'installing packages',
    'npm',
    ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error'],
    'The package registry must be reachable once.',
  );
}

function files(stampText) {
  return stampText.replace(/ [\d.]+$/gm, '');
}

function build() {
  const dist = join(root, 'dist');
  const stamp = join(dist, '.sources');
  const sources = sourcesNow();
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === sources) return true;
  // What was built from a file that is gone must not stay behind.
  if (existsSync(stamp) && files(readFileSync(stamp, 'utf8')) !== files(sources))
    rmSync(dist, { recursive: true, force: true });
  const compiler = join('node_modules', 'typescript', 'bin', 'tsc');
  const built = run(
    'building',
    process.execPath,
    [compiler, '-p', 'tsconfig.build.json', '--pretty', 'false'],
    'Mend what the compiler says and try again.',
  );
  if (!built) return false;
  mkdirSync(dist, { recursive: true });
  writeFileSync(stamp, sources);
  return true;
}

if (nodeIsTooOld()) {
  process.stderr.write(
    `set-up: Node ${OLDEST_NODE.join('.')} or newer is needed and this is ${process.versions.node}. Install a newer Node.\n`,
  );
  process.exitCode = 1;
} else if (packagesAreInstalled() || install()) {
  build();
}
