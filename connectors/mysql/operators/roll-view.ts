import { NOW_MS } from '../sql/literals';
import type { Pool } from '../sql/pool';
import { listPlacements, type PlacementKey, type PlacementRow } from './placements';

/** What runs on the target `local`. */
export interface RollView {
  readonly placements: readonly PlacementRow[];
  /** Workers that are alive, by the placement that they were started for. */
  readonly workers: readonly PlacementKey[];
  /** Hosts of the supervisors that hold their lease, one entry for each. */
  readonly supervisors: readonly string[];
}

/** What is to run, and what runs. */
export function readRollView(pool: Pool): Promise<RollView> {
  return pool.use(async (sql) => {
    const placements = await listPlacements(sql);
    const workers = await sql.rows<[string, number]>(
      "SELECT components->>'$[0]', replica FROM workers " +
        `WHERE dead=0 AND lease_until >= ${NOW_MS} AND replica IS NOT NULL`,
    );
    const supervisors = await sql.rows<[string]>(
      `SELECT host FROM supervisors WHERE lease_until >= ${NOW_MS} AND left_at IS NULL ORDER BY host, id`,
    );
    return {
      placements,
      workers: workers.map(([component, replica]) => ({ component, replica })),
      supervisors: supervisors.map(([host]) => host),
    };
  });
}
