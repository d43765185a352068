import { randomBytes } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Environment } from '../../../topology/settings/environment';
import { replicasOf, type TopologySettings } from '../../../topology/settings/topology-settings';
import type { EngineRelease } from '../engine';
import { writeRendering } from '../rendering';
import { fileMountsOf } from '../worker-settings';
import { fingerprintOf, serviceName, type WorkerMark } from './render';
import type { Services } from './services';
import { SETTINGS_FILE } from './settings-file';

/** The key of fingerprints, made once. Where it is lost, all containers are replaced at the next deploy, as after any change. */
function fingerprintKey(folder: string): string {
  const path = 'fingerprint.key';
  const text = `${randomBytes(32).toString('base64')}\n`;
  writeRendering(folder, [{ path, text, isYours: true, isSecret: true }]);
  return readFileSync(join(folder, path), 'utf8');
}

/** What tells a file from what it was before, also one that only the user of the containers may read; null where it is not seen. */
function stateOf(path: string): string | null {
  for (const look of [() => readFileSync(path, 'utf8'), () => `changed at ${statSync(path).mtimeMs}`]) {
    try {
      return look();
    } catch {
      // Docker, which may see it, says what is wrong with it.
    }
  }
  return null;
}

/** What workers depend on beside their release. */
interface MarkedFrom {
  readonly folder: string;
  readonly environment: Environment;
}

interface KnownMark extends WorkerMark {
  /** There are containers of this very worker that ran already. */
  readonly isThere: boolean;
}

/**
 * Which worker each component's containers are to be. Where there are containers of the very same worker, they and those beside
 * them go on with the release that they read, unless that one never was live.
 * @param live the number of the release that runs; 0 when none does
 */
export async function marksOf(
  { number, image, settings }: EngineRelease & { readonly settings: TopologySettings },
  services: Services,
  { folder, environment }: MarkedFrom,
  live: number,
): Promise<ReadonlyMap<string, KnownMark>> {
  const files = fileMountsOf(environment, '').map(({ source }) => stateOf(source));
  const beside = [readFileSync(join(folder, SETTINGS_FILE), 'utf8'), await services.imageId(image), ...files];
  const key = fingerprintKey(folder);
  const marks = new Map<string, KnownMark>();
  for (const component of replicasOf(settings).keys()) {
    const fingerprint = fingerprintOf({ settings, image, environment }, component, beside, key);
    const there = await services.running(serviceName(component));
    const same = there.filter((one) => one.fingerprint === fingerprint);
    // The judge looks at workers by their release: of one that was interrupted it would see none of the new ones.
    const read = same.flatMap(({ release }) =>
      release !== null && (release <= live || release === number) ? release : [],
    );
    const isThere = read.length > 0;
    marks.set(component, { fingerprint, release: isThere ? Math.max(...read) : number, isThere });
  }
  return marks;
}

/**
 * The same for going back. Where no container is left that tells that the settings are those with which the live release ran, what is
 * made may have those that spoilt the release which is taken back: the next deploy has to find it outdated.
 */
export function marksBack(marks: ReadonlyMap<string, KnownMark>, live: number): ReadonlyMap<string, WorkerMark> {
  if ([...marks.values()].some(({ isThere }) => isThere)) return marks;
  return new Map([...marks.keys()].map((component) => [component, { release: live, fingerprint: null }]));
}
