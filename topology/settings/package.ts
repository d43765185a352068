import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The folder that holds package.json, from the sources as well as from dist/. */
export function packageRoot(): string {
  const here = join(__dirname, '..', '..');
  return here.endsWith('dist') ? join(here, '..') : here;
}

/** Downspout's version, from package.json. */
export function packageVersion(root: string = packageRoot()): string {
  return (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }).version;
}
