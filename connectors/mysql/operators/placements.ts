import type { ObservedWorker } from '../schema/schema';
import { integer, text } from '../sql/literals';
import type { Sql } from '../sql/sql';

/** Names a worker that is to run: the nth of its component, from 1 on. */
export interface PlacementKey {
  readonly component: string;
  readonly replica: number;
}

/** A worker that is to run on the target `local`. Times are epoch milliseconds by the database's clock. */
export interface PlacementRow extends PlacementKey {
  readonly releaseNumber: number;
  /** +1 replaces the worker by a new one. */
  readonly restarts: number;
  /** Who runs it; null while nobody has taken it. */
  readonly supervisor: string | null;
  readonly observed: ObservedWorker | null;
  readonly observedAt: number | null;
}

export interface SupervisorStatus {
  readonly id: string;
  readonly host: string;
  readonly pid: number;
  readonly version: string;
  readonly startedAt: number;
  readonly leaseUntil: number;
  /** When it stopped in good order; null while it runs, or when it died. */
  readonly leftAt: number | null;
}

/** Every worker that is to run, by component and replica. */
export async function listPlacements(sql: Pick<Sql, 'rows'>): Promise<PlacementRow[]> {
  const rows = await sql.rows<[string, number, number, number, Buffer | null, string | null, number | null]>(
    'SELECT component, replica, release_number, restarts, supervisor, observed, observed_at FROM placements ORDER BY component, replica',
  );
  return rows.map(([component, replica, releaseNumber, restarts, supervisor, observed, observedAt]) => ({
    component,
    replica,
    releaseNumber,
    restarts,
    supervisor: supervisor?.toString('hex') ?? null,
    observed: observed === null ? null : (JSON.parse(observed) as ObservedWorker),
    observedAt,
  }));
}

/** Supervisors that run, and those that ended within the last day. */
export async function listSupervisors(sql: Pick<Sql, 'rows'>): Promise<SupervisorStatus[]> {
  const rows = await sql.rows<[Buffer, string, number, string, number, number, number | null]>(
    'SELECT id, host, pid, version, started_at, lease_until, left_at FROM supervisors ORDER BY started_at, id',
  );
  return rows.map(([id, host, pid, version, startedAt, leaseUntil, leftAt]) => ({
    id: id.toString('hex'),
    host,
    pid,
    version,
    startedAt,
    leaseUntil,
    leftAt,
  }));
}

/** Asks for a worker of this release. If it runs with another one, its supervisor replaces it. */
export async function wantPlacement(sql: Sql, key: PlacementKey, releaseNumber: number): Promise<void> {
  await sql.run(
    `INSERT INTO placements (component, replica, release_number) VALUES (${text(key.component)}, ${integer(key.replica)}, ` +
      `${integer(releaseNumber)}) ON DUPLICATE KEY UPDATE release_number=${integer(releaseNumber)}`,
  );
}

/** Asks for a new worker in place of the one that runs, of the same release. @returns false when there is no such placement */
export async function restartPlacement(sql: Sql, key: PlacementKey): Promise<boolean> {
  const { affectedRows } = await sql.run(`UPDATE placements SET restarts=restarts+1 WHERE ${keyed(key)}`);
  return affectedRows === 1;
}

/** Has the worker drained and ended. */
export async function removePlacement(sql: Sql, key: PlacementKey): Promise<void> {
  await sql.run(`DELETE FROM placements WHERE ${keyed(key)}`);
}

/** How a placement is called in files and logs: `webhook-2`. */
export function placementName({ component, replica }: PlacementKey): string {
  return `${component}-${replica}`;
}

function keyed({ component, replica }: PlacementKey): string {
  return `component=${text(component)} AND replica=${integer(replica)}`;
}
