import { existsSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';
import { packageRoot } from '../../topology/settings/package';

const FOLDER_NAME = '.downspout';

/**
 * Where the local stack is or is to be: the nearest `.downspout` from the current folder upward; else in the checkout; else,
 * when this is an installed package, in the current folder.
 */
export function stackFolder(from: string = process.cwd(), root: string = packageRoot()): string {
  for (let folder = from; ; folder = dirname(folder)) {
    if (existsSync(join(folder, FOLDER_NAME, 'stack.json'))) return join(folder, FOLDER_NAME);
    if (dirname(folder) === folder) break;
  }
  return join(root.split(sep).includes('node_modules') ? from : root, FOLDER_NAME);
}
