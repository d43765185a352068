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

/**
 * Which worker each component's containers are to be. Where there are containers of the very same worker, they and those beside
 * them go on with the release that they read.
 */
export async function marksOf(
  { number, image, settings }: EngineRelease & { readonly settings: TopologySettings },
  services: Services,
  { folder, environment }: MarkedFrom,
  failed: EngineRelease | undefined,
): Promise<ReadonlyMap<string, WorkerMark>> {
  const files = fileMountsOf(environment, '').map(({ source }) => stateOf(source));
  const beside = [readFileSync(join(folder, SETTINGS_FILE), 'utf8'), await services.imageId(image), ...files];
  const key = fingerprintKey(folder);
  const marks = new Map<string, WorkerMark>();
  for (const component of replicasOf(settings).keys()) {
    const fingerprint = fingerprintOf({ settings, image, environment }, component, beside, key);
    const there = await services.running(serviceName(component));
    const same = there.filter((one) => one.fingerprint === fingerprint && one.release !== failed?.number);
    const read = same.flatMap((one) => one.release ?? []);
    marks.set(component, { fingerprint, release: read.length === 0 ? number : Math.max(...read) });
  }
  return marks;
}
