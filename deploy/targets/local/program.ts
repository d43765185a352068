import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Release } from '../../../connectors/mysql/operators/releases';
import { packageRoot, packageVersion } from '../../../topology/settings/package';

/** This package's own `downspout`. */
export function ownProgram(): string {
  return join(packageRoot(), 'dist', 'deploy', 'cli', 'downspout.js');
}

/** What the workers of a release run on this host: the path of a program, or why there is none. */
export function programOf(
  release: Pick<Release, 'program' | 'packageVersion'>,
  own: { readonly program: string; readonly version: string } = { program: ownProgram(), version: packageVersion() },
): { readonly program: string } | { readonly missing: string } {
  if (release.program !== null && existsSync(release.program)) return { program: release.program };
  if (release.packageVersion === own.version) return { program: own.program };
  const place = release.program === null ? '' : ` and nothing at ${release.program}`;
  return {
    missing:
      `this host has downspout ${own.version}${place}, and the release runs ${release.packageVersion}: ` +
      'install that version here, or run a supervisor of it',
  };
}
