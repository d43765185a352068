import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Release } from '../../../connectors/mysql/operators/releases';
import type { Clock } from '../../../topology/core/clock';
import { packageRoot, packageVersion } from '../../../topology/settings/package';

const PATH_IN_PACKAGE = join('dist', 'deploy', 'cli', 'downspout.js');

/** This package's own `downspout`. */
export function ownProgram(): string {
  return join(packageRoot(), PATH_IN_PACKAGE);
}

/**
 * What the workers of a release run on this host: the path of a program, or why there is none. Another version may have been
 * installed over a path that a release names, or over the supervisor's own, so the version that lies there now counts.
 */
export function programOf(
  release: Pick<Release, 'program' | 'packageVersion'>,
  own: string = ownProgram(),
): { readonly program: string } | { readonly missing: string } {
  const there = [...new Set([release.program ?? own, own])].map((program) => ({
    program,
    version: versionAt(program),
  }));
  const fitting = there.find(({ version }) => version === release.packageVersion);
  if (fitting !== undefined) return { program: fitting.program };
  const found = there.map(
    ({ program, version }) => `${version === null ? 'nothing' : `downspout ${version}`} at ${program}`,
  );
  return {
    missing:
      `the release runs downspout ${release.packageVersion}, and this host has ${found.join(' and ')}: ` +
      'install that version in a folder of its own, and run a supervisor from there',
  };
}

const LOOK_EVERY_MS = 10_000;

/**
 * Says when another version was installed over the one that runs, until the signal aborts: workers that die meanwhile cannot be
 * started again before that version is deployed.
 * @param versionNow of the package that lies there; null when there is none
 */
export async function watchVersion(
  clock: Pick<Clock, 'sleep'>,
  signal: AbortSignal,
  warn: (text: string) => void,
  versionNow: () => string | null = () => versionAt(ownProgram()),
): Promise<void> {
  let last = versionNow();
  const running = last;
  while (!signal.aborted) {
    await clock.sleep(LOOK_EVERY_MS, signal);
    const now = versionNow();
    if (now === null || now === last) continue;
    last = now;
    if (now === running) continue;
    warn(
      `downspout ${now} was installed over ${running ?? 'this one'}: workers of the release that runs go on, but none that dies can be ` +
        'started again here. Deploy that version now, or install the earlier one again.',
    );
  }
}

/** The version of the package that a program belongs to; null when there is none. */
function versionAt(program: string): string | null {
  const root = join(
    dirname(program),
    ...PATH_IN_PACKAGE.split(/[\\/]/)
      .slice(1)
      .map(() => '..'),
  );
  if (!existsSync(program)) return null;
  try {
    return packageVersion(root);
  } catch {
    return null;
  }
}
