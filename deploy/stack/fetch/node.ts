import { join } from 'node:path';
import { run } from '../host/commands';
import type { Cache } from './cache';

/**
 * The `node` of a major version, from the package registry.
 * @returns the path of the executable
 * @throws UserError with npm's last lines
 */
export async function fetchNode(cache: Cache, major: number, onFetch: () => void): Promise<string> {
  const name = `node-${process.platform}-${process.arch}`;
  const flags = ['--no-save', '--no-audit', '--no-fund', '--loglevel=error'];
  const folder = await cache.obtain(
    `node-${major}`,
    async (empty) => {
      await run('npm', ['install', ...flags, '--prefix', empty, `${name}@${major}`]);
    },
    onFetch,
  );
  return join(folder, 'node_modules', name, 'bin', 'node');
}
