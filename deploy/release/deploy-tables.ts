import type { DeployLock } from '../../connectors/mysql/operators/deploy-lock';
import { Operations } from '../../connectors/mysql/operators/operations';
import { listPlacements, type PlacementRow } from '../../connectors/mysql/operators/placements';
import {
  beginRelease,
  currentRelease,
  findRelease,
  finishRelease,
  type NewRelease,
  type Release,
  unfinishedReleases,
} from '../../connectors/mysql/operators/releases';
import type { Pool } from '../../connectors/mysql/sql/pool';
import { endKill } from './kill';

/** What a deployer reads and writes. Each change is made under the lock, all of it or nothing. */
export interface DeployTables {
  live(): Promise<Release | null>;
  unfinished(): Promise<readonly Release[]>;
  find(number: number): Promise<Release | null>;
  placements(): Promise<readonly PlacementRow[]>;
  /** Whether everything is paused, by a person or by `kill`. */
  isDeactivated(): Promise<boolean>;
  /**
   * Writes a release, unless the newest of those that were interrupted is to be continued. The others of these have failed.
   * @returns its number
   */
  begin(wanted: NewRelease, isContinued: (last: Release) => boolean): Promise<number>;
  /** What was not ended yet has ended so. What becomes live ends what `kill` has deactivated. It may be repeated. */
  finish(number: number, outcome: 'live' | 'failed' | 'rolled_back', detail: string | null): Promise<void>;
  endKill(): Promise<void>;
}

export function deployTables(pool: Pool, lock: DeployLock): DeployTables {
  return {
    live: () => currentRelease(pool),
    unfinished: () => unfinishedReleases(pool),
    find: (number) => findRelease(pool, number),
    placements: () => listPlacements(pool),
    isDeactivated: async () => (await new Operations(pool).pauses()).some(({ channel }) => channel === null),
    begin: (wanted, isContinued) =>
      lock.transaction(async (sql) => {
        const unfinished = await unfinishedReleases(sql);
        const last = unfinished.at(-1);
        const continued = last !== undefined && isContinued(last) ? last : undefined;
        const number = continued?.number ?? (await beginRelease(sql, wanted));
        for (const one of unfinished) {
          const detail = `interrupted; release ${number} followed`;
          if (one !== continued) await finishRelease(sql, one.number, 'failed', detail);
        }
        return number;
      }),
    finish: (number, outcome, detail) =>
      lock.transaction(async (sql) => {
        await finishRelease(sql, number, outcome, detail);
        if (outcome === 'live') await endKill(sql);
      }),
    endKill: () => lock.transaction(endKill),
  };
}
