import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { reasonOf, UserError } from '../../topology/core/errors';
import type { TopologySettings } from '../../topology/settings/topology-settings';

const SECRET_MODE = 0o600;

/** A file of a rendering. */
export interface RenderedFile {
  /** Relative to the folder that is rendered into, with `/`. */
  readonly path: string;
  /** May throw where it is made when it is read: of a file that is kept it is not. */
  readonly text: string;
  /** Only made when it is not there: from then on it belongs to people. */
  readonly isYours?: boolean;
  /** Holds secrets: only its owner may read it. */
  readonly isSecret?: boolean;
}

/** What became of a file. */
export interface WrittenFile {
  readonly path: string;
  readonly state: 'written' | 'kept';
}

/**
 * Refuses channels that are named by a path, because an image has no files beside its topology.yaml.
 * @throws UserError naming the path
 */
export function demandPackages({ channels }: Pick<TopologySettings, 'channels'>): void {
  const path = channels.find((source) => /^[./]/.test(source));
  if (path === undefined) return;
  throw new UserError(
    `topology.yaml names the channel ${path} by its path, which an image does not have. Make it a package, install that in the image, and name it.`,
  );
}

/**
 * Demands the files that belong to people where an earlier release is deployed again, or they would be written anew out of the
 * environment of whoever does that, and every worker would have these settings.
 * @throws UserError naming one that is not there
 */
export function requireKept(folder: string, paths: readonly string[]): void {
  const missing = paths.map((path) => join(folder, path)).find((file) => !existsSync(file));
  if (missing === undefined) return;
  throw new UserError(`There is no ${missing}. Run this where \`deploy\` was run, or give --out as it had it.`);
}

/**
 * Writes what was rendered below `folder`, in the order given. Files that are not part of the rendering are left alone.
 * @param isRehearsal nothing is written; what would become of each file is said
 * @throws UserError naming the file that cannot be written
 */
export function writeRendering(folder: string, files: readonly RenderedFile[], isRehearsal = false): WrittenFile[] {
  return files.map((rendered) => {
    const { path, isYours, isSecret } = rendered;
    const file = join(folder, path);
    if (isYours === true && existsSync(file)) return { path, state: 'kept' };
    const { text } = rendered;
    if (isRehearsal) return { path, state: 'written' };
    try {
      mkdirSync(dirname(file), { recursive: true });
      // The mode of a file that is there already stays when it is written. Before that, or others could read it in between.
      if (isSecret === true && existsSync(file)) chmodSync(file, SECRET_MODE);
      writeFileSync(file, text, isSecret === true ? { mode: SECRET_MODE } : {});
    } catch (error) {
      throw new UserError(`${file}: ${reasonOf(error)}. Choose another folder with --out.`);
    }
    return { path, state: 'written' };
  });
}
