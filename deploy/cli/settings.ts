import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Environment, packageRoot, readEnvironment } from '../../topology/config';
import { reasonOf, UserError } from '../../topology/core/errors';
import type { Output } from './output';

/** What a verb connects with. */
export interface Settings {
  readonly environment: Environment;
  /** The settings that came from the local stack and not from the environment. */
  readonly fallback: Readonly<Record<string, string>>;
  /** The local stack's folder (`.downspout`), where one was found. */
  readonly stackFolder: string | null;
}

/**
 * Settings from the environment, and for what it does not set from the local stack's `.downspout/env.json`, looked for
 * from the current folder upward and then in the checkout.
 * @throws UserError naming the variable or the file
 */
export function readSettings(output?: Output, from: string = process.cwd()): Settings {
  const stackFolder = findStackFolder(from);
  const file = stackFolder === null ? null : join(stackFolder, 'env.json');
  const fallback = file === null ? {} : readFallback(file);
  const environment = readEnvironment(fallback);
  const names = Object.keys(fallback);
  output?.detail(
    file === null
      ? 'settings: from the environment (no local stack found)'
      : `settings: from the environment; what it does not set, from ${file} (${names.join(', ')})`,
  );
  return { environment, fallback, stackFolder };
}

function findStackFolder(from: string): string | null {
  for (let folder = from; ; folder = dirname(folder)) {
    if (existsSync(join(folder, '.downspout', 'env.json'))) return join(folder, '.downspout');
    if (dirname(folder) === folder) break;
  }
  const own = join(packageRoot(), '.downspout');
  return existsSync(join(own, 'env.json')) ? own : null;
}

function readFallback(file: string): Record<string, string> {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new UserError(`${file}: ${reasonOf(error)}. Run \`downspout up\` to write it anew.`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new UserError(`${file}: expected an object of settings. Run \`downspout up\` to write it anew.`);
  }
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, setting]) => (typeof setting === 'string' ? [[name, setting]] : [])),
  );
}
