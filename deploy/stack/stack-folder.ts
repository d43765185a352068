import { lstatSync, statSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';
import { UserError } from '../../topology/core/errors';
import { packageRoot } from '../../topology/settings/package';

const FOLDER_NAME = '.downspout';
/** The bit of a file's mode that lets everybody write to it. A group may be the user's own. */
const WRITABLE_BY_OTHERS = 0o002;

/**
 * Where the local stack is or is to be: the nearest `.downspout` from the current folder upward; else in the checkout; else,
 * when this is an installed package, in the current folder.
 * @param user the id of the user who runs this; undefined where the system has none
 * @throws UserError for a folder that others can write to: its settings would send secrets to a database of theirs
 */
export function stackFolder(
  from: string = process.cwd(),
  root: string = packageRoot(),
  user: number | undefined = process.getuid?.(),
): string {
  for (let at = from; ; at = dirname(at)) {
    const folder = join(at, FOLDER_NAME);
    if (exists(join(folder, 'stack.json'))) {
      for (const path of [folder, join(folder, 'stack.json'), join(folder, 'env.json')]) requireOwn(path, user);
      return folder;
    }
    if (dirname(at) === at) break;
  }
  return join(root.split(sep).includes('node_modules') ? from : root, FOLDER_NAME);
}

function requireOwn(path: string, user: number | undefined): void {
  if (user === undefined || !exists(path)) return;
  // The link as well as what it leads to.
  for (const stat of [lstatSync(path), statSync(path)]) {
    if (stat.uid !== user) {
      throw new UserError(
        `${path} belongs to another user (${stat.uid}), so its settings are not used. Work in a folder that is not below it, or make it yours with chown.`,
      );
    }
    if (!stat.isSymbolicLink() && (stat.mode & WRITABLE_BY_OTHERS) !== 0) {
      throw new UserError(`Everybody may write to ${path}, so its settings are not used. Run: chmod o-w ${path}`);
    }
  }
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}
