import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { join, relative } from 'node:path';
import type { Clock } from '../../../topology/core/clock';
import { withLock } from '../host/lock';

const MANIFEST = '.complete.json';

/**
 * Downloads, kept outside of the checkout so that a fresh clone starts at once.
 *
 * 1. *All or nothing*: a part is filled in a folder of its own and moved to its place when it is complete.
 * 2. *Damage is noticed*: a file that is missing, or whose size or time is not what was downloaded, makes the part be
 *    fetched again.
 * 3. *Two checkouts at once do not clash*: one fetches, the other waits and finds it there.
 */
export class Cache {
  constructor(
    readonly directory: string,
    private readonly clock: Clock,
  ) {}

  /**
   * The folder of a part, filled by `fill` when it is not there in good order.
   * @param name with the version, e.g. `kafka-4.3.1`
   */
  async obtain(name: string, fill: (folder: string) => Promise<void>, onFetch: () => void): Promise<string> {
    const folder = join(this.directory, name);
    if (isComplete(folder)) return folder;
    return withLock(`${folder}.lock`, this.clock, onFetch, async () => {
      if (isComplete(folder)) return folder;
      onFetch();
      this.removeLeftovers(name);
      const temporary = mkdtempSync(join(this.directory, `${name}.part-`));
      try {
        await fill(temporary);
        writeFileSync(join(temporary, MANIFEST), JSON.stringify(inventory(temporary)));
        rmSync(folder, { recursive: true, force: true });
        renameSync(temporary, folder);
      } finally {
        rmSync(temporary, { recursive: true, force: true });
      }
      return folder;
    });
  }

  /** Whether a part is there in good order. */
  has(name: string): boolean {
    return isComplete(join(this.directory, name));
  }

  /** Halves of downloads whose process was killed. The lock is held, so nobody is filling one now. */
  private removeLeftovers(name: string): void {
    mkdirSync(this.directory, { recursive: true });
    for (const entry of readdirSync(this.directory)) {
      if (entry.startsWith(`${name}.part-`)) rmSync(join(this.directory, entry), { recursive: true, force: true });
    }
  }
}

/** Where downloads are kept. @param variables with XDG_CACHE_HOME where it is set */
export function cacheFolder(variables: Readonly<Record<string, string>>): string {
  return join(variables['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'downspout');
}

/** Every file with its size and time of change; links with their kind only. */
function inventory(folder: string): Record<string, string> {
  const files: Record<string, string> = {};
  const walk = (at: string) => {
    for (const entry of readdirSync(at, { withFileTypes: true })) {
      const path = join(at, entry.name);
      if (entry.isDirectory()) {
        walk(path);
      } else if (path !== join(folder, MANIFEST)) {
        files[relative(folder, path)] = mark(path);
      }
    }
  };
  walk(folder);
  return files;
}

function mark(path: string): string {
  const stat = lstatSync(path);
  return stat.isSymbolicLink() ? 'link' : `${stat.size} ${Math.trunc(stat.mtimeMs)}`;
}

function isComplete(folder: string): boolean {
  try {
    const files = JSON.parse(readFileSync(join(folder, MANIFEST), 'utf8')) as Record<string, string>;
    return Object.entries(files).every(([path, expected]) => mark(join(folder, path)) === expected);
  } catch {
    return false;
  }
}
