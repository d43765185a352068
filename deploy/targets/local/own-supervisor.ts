import { existsSync } from 'node:fs';
import { systemClock } from '../../../topology/core/clock';
import { type DetachedSupervisor, defaultStateFolder, detachSupervisor } from './detached';

/** Of a verb that needs workers to be run: whether this host is to run them. */
export interface OwnSupervisorOptions {
  /** Where the supervisor of this host keeps what it remembers. */
  readonly state?: string | undefined;
  /** False: this host runs no worker, and others do. */
  readonly supervises: boolean;
  /** Where no supervisor lives anywhere, this host may get its first one. */
  readonly mayBeFirst: boolean;
}

/**
 * Starts the supervisor of this host where none runs. Whoever deploys from a host that runs no workers does not make it one that does,
 * also not while the supervisors of others are away: of two that share the workers both would go on.
 * @param othersLive how many supervisors live, anywhere
 * @returns null where this host is to have none
 */
export async function ensureOwnSupervisor(
  { state, supervises, mayBeFirst }: OwnSupervisorOptions,
  othersLive: () => Promise<number>,
  start = (folder: string) => detachSupervisor({ folder, clock: systemClock }),
): Promise<DetachedSupervisor | null> {
  if (!supervises) return null;
  const folder = state ?? defaultStateFolder();
  const isFirst = !existsSync(folder);
  if (isFirst && ((await othersLive()) > 0 || !(mayBeFirst || state !== undefined))) return null;
  return start(folder);
}
