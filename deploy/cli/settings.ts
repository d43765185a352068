import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { reasonOf, UserError } from '../../topology/core/errors';
import { decodeText } from '../../topology/core/text-encoding';
import { type Environment, givenSettings, readEnvironment } from '../../topology/settings/environment';
import type { Output } from '../console/output';
import { stackFolder } from '../stack/stack-folder';

/** What a verb connects with. */
export interface Settings {
  readonly environment: Environment;
  /** The settings that came from the local stack and not from the environment. */
  readonly fallback: Readonly<Record<string, string>>;
  /** The settings that the environment gives. */
  readonly given: ReadonlySet<string>;
  /** The local stack's folder (`.downspout`), where one was found. */
  readonly stackFolder: string | null;
}

/**
 * Settings from the environment, and for what it does not set from the local stack's `.downspout/env.json`.
 * @throws UserError naming the variable or the file
 */
export function readSettings(output?: Output, from: string = process.cwd()): Settings {
  const folder = stackFolder(from);
  const file = join(folder, 'env.json');
  const local = existsSync(file);
  const fallback = local ? readFallback(file) : {};
  const environment = readEnvironment(fallback);
  const names = Object.keys(fallback);
  output?.detail(
    local
      ? `settings: from the environment; what it does not set, from ${file} (${names.join(', ')})`
      : 'settings: from the environment (no local stack found)',
  );
  return { environment, fallback, given: givenSettings(), stackFolder: local ? folder : null };
}

function readFallback(file: string): Record<string, string> {
  let value: unknown;
  try {
    value = JSON.parse(decodeText(readFileSync(file)));
  } catch (error) {
    throw new UserError(`${file}: ${reasonOf(error)}. Run \`downspout up\` to write it again.`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new UserError(`${file}: expected an object of settings. Run \`downspout up\` to write it again.`);
  }
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, setting]) => (typeof setting === 'string' ? [[name, setting]] : [])),
  );
}
