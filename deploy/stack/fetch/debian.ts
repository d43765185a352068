import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../../../topology/core/errors';
import { onPath, run } from '../host/commands';
import type { Cache } from './cache';

/** The suite that has this stack's versions. */
const SUITE = 'sid';
/** They share libraries, so one folder holds them all. The cache's name changes with the list. */
const PACKAGES = ['mysql-server-core', 'haproxy', 'prometheus'];
const CACHE_NAME = 'debian-1';
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
/** Packages unpacked at a time. */
const UNPACKERS = 2;

/** Whether packages of Debian can be unpacked here. */
export async function hasDebianPackages(): Promise<boolean> {
  if (process.platform !== 'linux') return false;
  const tools = await Promise.all(['apt-get', 'dpkg'].map(onPath));
  return tools.every((tool) => tool !== null) && findArchive() !== null;
}

/** The unpacked Debian packages of the stack. */
export function debianRoot(cache: Cache, onFetch: () => void): Promise<string> {
  return cache.obtain(CACHE_NAME, (folder) => fetchDebianPackages(PACKAGES, folder), onFetch);
}

/**
 * Unpacks Debian packages and all that they depend on into `folder`, without installing anything and without root: apt
 * is given a root of its own, with an empty list of installed packages.
 * @throws UserError with apt's last lines
 */
async function fetchDebianPackages(packages: readonly string[], folder: string): Promise<void> {
  const archive = findArchive();
  if (archive === null) throw new UserError('This machine has no Debian archive among its apt sources.');
  const apt = join(folder, 'apt');
  for (const path of ['state/lists/partial', 'cache/archives/partial']) mkdirSync(join(apt, path), { recursive: true });
  const sources = join(apt, 'sources.list');
  writeFileSync(sources, `deb [signed-by=${archive.keyring}] ${archive.uri} ${SUITE} main\n`);
  writeFileSync(join(apt, 'status'), '');
  const settings = [
    `Dir::Etc::sourcelist=${sources}`,
    'Dir::Etc::sourceparts=/dev/null',
    `Dir::State=${join(apt, 'state')}`,
    `Dir::State::status=${join(apt, 'status')}`,
    `Dir::Cache=${join(apt, 'cache')}`,
    'Acquire::Languages=none',
    'Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false',
    'Acquire::Retries=3',
    'APT::Install-Recommends=false',
    // Root's cache may be closed to the user that apt downloads as.
    'APT::Sandbox::User=root',
  ].flatMap((setting) => ['-o', setting]);
  await run('apt-get', [...settings, '--quiet', 'update']);
  await run('apt-get', [...settings, '--quiet', '--yes', '--download-only', 'install', ...packages]);
  const archives = join(apt, 'cache', 'archives');
  const queue = readdirSync(archives).filter((name) => name.endsWith('.deb'));
  const unpack = async () => {
    for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
      await run('dpkg', ['-x', join(archives, name), folder]);
    }
  };
  await Promise.all(Array.from({ length: UNPACKERS }, unpack));
  rmSync(apt, { recursive: true, force: true });
}

/** A program of unpacked packages, with the arguments that go before its own. */
export interface UnpackedProgram {
  readonly command: string;
  readonly prefix: readonly string[];
}

/**
 * How to start an unpacked program: it may need newer libraries than this machine has, so its own loader starts it.
 * @throws UserError when the packages do not hold it
 */
export function unpackedProgram(root: string, path: string): UnpackedProgram {
  const program = join(root, path);
  const libraries = join(root, 'usr', 'lib');
  for (const triplet of readdirSync(libraries)) {
    const folder = join(libraries, triplet);
    const loader = /-linux-gnu/.test(triplet)
      ? readdirSync(folder).find((name) => /^ld-linux.*\.so\.\d+$/.test(name))
      : '';
    if (!loader || !existsSync(program)) continue;
    return {
      command: join(folder, loader),
      prefix: ['--library-path', `${folder}:${join(libraries, 'mysql', 'private')}`, program],
    };
  }
  throw new UserError(`${program} is missing. Remove ${root} and run \`downspout up\` again: it is fetched again.`);
}

interface Archive {
  readonly uri: string;
  readonly keyring: string;
}

/** Debian's archive as this machine's own apt sources name it, so that a mirror or proxy of the site is used. */
function findArchive(): Archive | null {
  for (const file of ['/etc/apt/sources.list', ...listParts('/etc/apt/sources.list.d')]) {
    const archive = parseSources(readOrEmpty(file), file.endsWith('.sources'));
    if (archive !== null) return archive;
  }
  return null;
}

/** Debian's archive in the text of an apt source file, or null. Security and third-party archives do not count. */
export function parseSources(text: string, deb822: boolean): Archive | null {
  if (deb822) {
    for (const stanza of text.split(/\n\s*\n/)) {
      const field = (name: string) => new RegExp(`^${name}:\\s*(.*)$`, 'im').exec(stanza)?.[1]?.trim();
      if (/^no$/i.test(field('Enabled') ?? 'yes')) continue;
      const uri = field('URIs')?.split(/\s+/).find(isArchive);
      if (uri !== undefined) return { uri, keyring: keyring(field('Signed-By')) };
    }
    return null;
  }
  for (const line of text.split('\n')) {
    const match = /^\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+\S+/.exec(line);
    const uri = match?.[2];
    if (uri !== undefined && isArchive(uri))
      return { uri, keyring: keyring(/signed-by=(\S+)/.exec(match?.[1] ?? '')?.[1]) };
  }
  return null;
}

function isArchive(uri: string): boolean {
  return /\/debian\/?$/.test(uri);
}

function keyring(named: string | undefined): string {
  return named?.startsWith('/') ? named : KEYRING;
}

function listParts(folder: string): string[] {
  try {
    return readdirSync(folder).map((name) => join(folder, name));
  } catch {
    return [];
  }
}

function readOrEmpty(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
