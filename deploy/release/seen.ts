import { currentRelease, unfinishedReleases } from '../../connectors/mysql/operators/releases';
import type { Sql } from '../../connectors/mysql/sql/sql';
import { UserError } from '../../topology/core/errors';
import type { DeployTables } from './deploy-tables';

/** What ran when somebody decided, by the numbers of the releases. */
export interface Seen {
  readonly live: number | null;
  /** Interrupted ones. */
  readonly unfinished: readonly number[];
}

type Releases = Pick<DeployTables, 'live' | 'unfinished'>;

export function releasesOf(sql: Sql): Releases {
  return { live: () => currentRelease(sql), unfinished: () => unfinishedReleases(sql) };
}

/** Read before the plan is made, so that nothing that comes after it is taken for seen. */
export async function seeReleases(tables: Releases): Promise<Seen> {
  const [live, unfinished] = await Promise.all([tables.live(), tables.unfinished()]);
  return { live: live?.number ?? null, unfinished: unfinished.map(({ number }) => number) };
}

/**
 * Under the right to deploy: nobody undoes what somebody else has deployed since it was decided, and does not know of.
 * @throws UserError naming what was deployed, by whom
 */
export async function requireAsSeen(tables: Releases, seen: Seen): Promise<void> {
  const [live, unfinished] = await Promise.all([tables.live(), tables.unfinished()]);
  const known = [seen.live, ...seen.unfinished];
  const since = [...unfinished, ...(live === null ? [] : [live])].find(({ number }) => !known.includes(number));
  const isSame = (live?.number ?? null) === seen.live && unfinished.length === seen.unfinished.length;
  if (since === undefined && isSame) return;
  const what =
    since === undefined
      ? 'Releases have ended since'
      : `Release ${since.number} (${since.reason}) was deployed by ${since.who} on ${since.host} since`;
  throw new UserError(
    `${what} it was looked at what runs. Nothing was changed: look at \`downspout history\`, then run this again.`,
  );
}
