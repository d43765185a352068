import { finishRelease, listReleases, type Release } from '../../connectors/mysql/operators/releases';
import { NOW_MS } from '../../connectors/mysql/sql/literals';
import type { Pool } from '../../connectors/mysql/sql/pool';
import type { Sql } from '../../connectors/mysql/sql/sql';

/** How the release that `kill` ended is marked: by it, the next deploy knows that it may activate again. */
const KILLED = 'killed';

/** Says of the release that ran that it was killed. @param wasActive false when a person had deactivated everything before */
export async function markKilled(sql: Sql, live: Release | null, wasActive: boolean): Promise<void> {
  if (live === null) return;
  const detail = wasActive ? KILLED : 'ended by kill; it was deactivated before';
  await finishRelease(sql, live.number, 'superseded', detail);
}

/** Whether the last thing that ran was ended by `kill`, which deactivated everything. */
export async function isKilled(pool: Pool): Promise<boolean> {
  const ran = (await listReleases(pool, 100)).find(({ outcome }) => outcome === 'live' || outcome === 'superseded');
  return ran?.outcome === 'superseded' && ran.detail === KILLED;
}

/** Activates again what `kill` deactivated. @param pool of the application's user */
export async function endKill(pool: Pool): Promise<void> {
  await pool.run("DELETE FROM pauses WHERE channel='' AND account=''");
}

/** Lets spouts emit nothing more. @param pool of the application's user. @returns false when a person had done so before */
export async function deactivateForKill(pool: Pool): Promise<boolean> {
  const { affectedRows } = await pool.run(
    `INSERT IGNORE INTO pauses (channel, account, paused_at) VALUES ('', '', ${NOW_MS})`,
  );
  return affectedRows === 1;
}
