import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(__dirname, '..', '..');
/** Tests are among them where a rule is about tests too. */
const rooms = ['topology', 'spouts', 'bolts', 'connectors', 'deploy', 'test'];

/** Texts by their paths from the root of the repository. */
export type Sources = ReadonlyMap<string, string>;

/** Every TypeScript file of the repository. */
export function repository(): Sources {
  const sources = new Map<string, string>();
  for (const room of rooms) {
    for (const entry of readdirSync(join(root, room), { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || !entry.name.endsWith('.ts')) continue;
      const path = join(entry.parentPath, entry.name);
      sources.set(path.slice(root.length + 1), readFileSync(path, 'utf8'));
    }
  }
  return sources;
}

/** The repository with some files more, or others in their place: a planted violation. */
export function planted(sources: Sources, files: Readonly<Record<string, string>>): Sources {
  return new Map([...sources, ...Object.entries(files)]);
}

export function isTest(path: string): boolean {
  return path.startsWith('test/');
}
