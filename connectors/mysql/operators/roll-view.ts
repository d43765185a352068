import { NOW_MS } from '../sql/literals';
import type { Pool } from '../sql/pool';
import { listPlacements, type PlacementKey, type PlacementRow } from './placements';

/** A worker that is alive, by the placement that it was started for. */
export interface RunningWorker extends PlacementKey {
  readonly host: string;
  readonly pid: number;
  readonly releaseNumber: number | null;
  /** Its supervisor runs. Nobody else drains it. */
  readonly isSupervised: boolean;
}

/** What runs on the target `local`. */
export interface RollView {
  readonly placements: readonly PlacementRow[];
  readonly workers: readonly RunningWorker[];
  /** Hosts of the supervisors that hold their lease, one entry for each. */
  readonly supervisors: readonly string[];
}

const RUNS = `lease_until >= ${NOW_MS} AND left_at IS NULL`;

/** What is to run, and what runs. */
export function readRollView(pool: Pool): Promise<RollView> {
  return pool.use(async (sql) => {
    const placements = await listPlacements(sql);
    const workers = await sql.rows<[string, number, string, number, number | null, number]>(
      "SELECT components->>'$[0]', replica, host, pid, release_number, " +
        `COALESCE(supervisor IN (SELECT id FROM supervisors WHERE ${RUNS}), 0) FROM workers ` +
        `WHERE dead=0 AND lease_until >= ${NOW_MS} AND replica IS NOT NULL ORDER BY 1, 2, 3, 4`,
    );
    const supervisors = await sql.rows<[string]>(`SELECT host FROM supervisors WHERE ${RUNS} ORDER BY host, id`);
    return {
      placements,
      workers: workers.map(([component, replica, host, pid, releaseNumber, isSupervised]) => ({
        component,
        replica,
        host,
        pid,
        releaseNumber,
        isSupervised: isSupervised === 1,
      })),
      supervisors: supervisors.map(([host]) => host),
    };
  });
}

/** A worker that is alive, whoever has started it. */
export interface LivingWorker extends Omit<RunningWorker, 'replica' | 'isSupervised'> {
  /** Null for one that no supervisor has started. */
  readonly replica: number | null;
}

/** Every worker that is alive: under a supervisor, a pod, a container, or started by hand. */
export async function livingWorkers(pool: Pick<Pool, 'rows'>): Promise<LivingWorker[]> {
  const rows = await pool.rows<[string, number | null, string, number, number | null]>(
    `SELECT components->>'$[0]', replica, host, pid, release_number FROM workers ` +
      `WHERE dead=0 AND lease_until >= ${NOW_MS} ORDER BY 1, 2, 3, 4`,
  );
  return rows.map(([component, replica, host, pid, releaseNumber]) => ({
    component,
    replica,
    host,
    pid,
    releaseNumber,
  }));
}
