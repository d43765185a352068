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
  /** Workers that have not ended and whose lease ran out lately: they died, or cannot reach the database, or it has just come back. */
  readonly lapsed: readonly RunningWorker[];
  /** Hosts of the supervisors that hold their lease, one entry for each. */
  readonly supervisors: readonly string[];
}

const RUNS = `lease_until >= ${NOW_MS} AND left_at IS NULL`;
/** A worker whose lease ran out longer ago has died. */
const LAPSED_MS = 3_600_000;
const ALIVE = `dead=0 AND lease_until >= ${NOW_MS}`;
const LAPSED = `dead=0 AND left_at IS NULL AND lease_until < ${NOW_MS} AND lease_until > ${NOW_MS} - ${LAPSED_MS}`;

/** What is to run, and what runs. */
export function readRollView(pool: Pool): Promise<RollView> {
  return pool.use(async (sql) => {
    const placements = await listPlacements(sql);
    const workers = await sql.rows<[string, number, string, number, number | null, number, number]>(
      "SELECT components->>'$[0]', replica, host, pid, release_number, " +
        `COALESCE(supervisor IN (SELECT id FROM supervisors WHERE ${RUNS}), 0), ${ALIVE} FROM workers ` +
        `WHERE (${ALIVE} OR ${LAPSED}) AND replica IS NOT NULL ORDER BY 1, 2, 3, 4`,
    );
    const supervisors = await sql.rows<[string]>(`SELECT host FROM supervisors WHERE ${RUNS} ORDER BY host, id`);
    const those = (wanted: 0 | 1) =>
      workers.flatMap(([component, replica, host, pid, releaseNumber, isSupervised, isAlive]) =>
        isAlive === wanted ? [{ component, replica, host, pid, releaseNumber, isSupervised: isSupervised === 1 }] : [],
      );
    return {
      placements,
      workers: those(1),
      lapsed: those(0),
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
export function livingWorkers(pool: Pick<Pool, 'rows'>): Promise<LivingWorker[]> {
  return workersThatAre(pool, ALIVE);
}

/** Workers that may be alive although their lease ran out: see `RollView`. */
export function lapsedWorkers(pool: Pick<Pool, 'rows'>): Promise<LivingWorker[]> {
  return workersThatAre(pool, LAPSED);
}

async function workersThatAre(pool: Pick<Pool, 'rows'>, condition: string): Promise<LivingWorker[]> {
  const rows = await pool.rows<[string, number | null, string, number, number | null]>(
    `SELECT components->>'$[0]', replica, host, pid, release_number FROM workers ` +
      `WHERE ${condition} ORDER BY 1, 2, 3, 4`,
  );
  return rows.map(([component, replica, host, pid, releaseNumber]) => ({
    component,
    replica,
    host,
    pid,
    releaseNumber,
  }));
}
