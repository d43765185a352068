import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Clock } from '../../../topology/core/clock';
import { ownRecord, type ProcessRecord, stillRuns } from './processes';

const POLL_MS = 50;
let sequence = 0;

/**
 * Runs `work` while no other process holds the lock at `path`. A lock whose holder died is taken over.
 * @param onWait called once, with the holder's process id, when another process holds the lock
 */
export async function withLock<T>(
  path: string,
  clock: Clock,
  onWait: (pid: number) => void,
  work: () => Promise<T>,
): Promise<T> {
  mkdirSync(dirname(path), { recursive: true });
  const own = `${path}.${process.pid}.${sequence++}`;
  writeFileSync(own, JSON.stringify(ownRecord()));
  try {
    for (let waited = false; !take(own, path); await clock.sleep(POLL_MS)) {
      const holder = readHolder(path);
      if (holder === null) continue;
      if (!stillRuns(holder)) {
        discard(path, holder, own);
      } else if (!waited) {
        onWait(holder.pid);
        waited = true;
      }
    }
  } finally {
    rmSync(own, { force: true });
  }
  try {
    return await work();
  } finally {
    rmSync(path, { force: true });
  }
}

/** A link appears with its content or not at all, so nobody reads a lock without a holder. */
function take(own: string, path: string): boolean {
  try {
    linkSync(own, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function readHolder(path: string): ProcessRecord | null {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as ProcessRecord;
  } catch {
    return null;
  }
}

/** Removes a dead holder's lock. Somebody else may have done so and hold it by now: then it is put back. */
function discard(path: string, dead: ProcessRecord, own: string): void {
  const aside = `${own}.aside`;
  try {
    renameSync(path, aside);
  } catch {
    return;
  }
  const moved = readHolder(aside);
  if (moved !== null && moved.pid === dead.pid && moved.started === dead.started) rmSync(aside, { force: true });
  else renameSync(aside, path);
}
