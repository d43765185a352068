import type { ObservedWorker } from '../schema/schema';
import { hex, integer, list, NOW_MS, text } from '../sql/literals';
import type { Pool } from '../sql/pool';
import type { Sql } from '../sql/sql';
import {
  listPlacements,
  listSupervisors,
  type PlacementKey,
  type PlacementRow,
  type SupervisorStatus,
} from './placements';

/** A supervisor whose lease ran out longer ago is forgotten. */
const KEPT_MS = 24 * 3_600_000;
const MAX_HOST_CHARACTERS = 255;

export interface SupervisorIdentity {
  /** 32 hex digits; the same for each life of the supervisor of one state folder. */
  readonly id: string;
  readonly host: string;
  readonly pid: number;
  readonly version: string;
}

/** A worker of this supervisor that has registered and is alive. */
export interface RegisteredWorker {
  readonly session: string;
  readonly pid: number;
  readonly statusUrl: string | null;
}

/** What a supervisor sees in one look. */
export interface SupervisorView {
  /** Epoch milliseconds by the database's clock. */
  readonly now: number;
  readonly supervisors: readonly SupervisorStatus[];
  readonly placements: readonly PlacementRow[];
  readonly workers: readonly RegisteredWorker[];
  /** Of all living workers: how many partitions of each component each of them owns. */
  readonly owned: readonly Readonly<Record<string, number>>[];
}

/** What a supervisor does with the database. Everything throws Unavailable when it does not answer. */
export interface Supervision {
  /** Renews the lease, registers first where that is needed, and looks. */
  look(self: SupervisorIdentity, leaseMs: number): Promise<SupervisorView>;
  /** Takes a placement, unless somebody else has it by now. @returns whether it is ours */
  claim(id: string, placement: PlacementRow): Promise<boolean>;
  /** Gives a placement of ours to whoever takes it. */
  release(id: string, key: PlacementKey): Promise<void>;
  /** Says how placements of ours stand. Those of others are left alone. */
  observe(id: string, observed: readonly (PlacementKey & { readonly observed: ObservedWorker })[]): Promise<void>;
  /** Ends in good order: its placements are free at once. */
  leave(id: string): Promise<void>;
}

/** The tables `supervisors` and `placements`, as a supervisor uses them. */
export class MySqlSupervision implements Supervision {
  constructor(private readonly pool: Pool) {}

  look(self: SupervisorIdentity, leaseMs: number): Promise<SupervisorView> {
    return this.pool.use(async (sql) => {
      await this.renew(sql, self, leaseMs);
      const [now] = await sql.rows<[number]>(`SELECT ${NOW_MS}`);
      const supervisors = await listSupervisors(sql);
      const placements = await listPlacements(sql);
      const living = await sql.rows<[Buffer, number, string | null, Buffer | null, string | null]>(
        "SELECT session, pid, status_url, supervisor, report->'$.partitions' FROM workers " +
          `WHERE dead=0 AND lease_until >= ${NOW_MS}`,
      );
      return {
        now: (now as [number])[0],
        supervisors,
        placements,
        workers: living.flatMap(([session, pid, statusUrl, supervisor]) =>
          supervisor?.toString('hex') === self.id ? [{ session: session.toString('hex'), pid, statusUrl }] : [],
        ),
        owned: living.map(([, , , , partitions]) => counted(partitions)),
      };
    });
  }

  async claim(id: string, { component, replica, supervisor }: PlacementRow): Promise<boolean> {
    const { affectedRows } = await this.pool.run(
      `UPDATE placements SET supervisor=${hex(id)}, observed=NULL, observed_at=NULL ` +
        `WHERE component=${text(component)} AND replica=${integer(replica)} ` +
        `AND supervisor ${supervisor === null ? 'IS NULL' : `= ${hex(supervisor)}`}`,
    );
    return affectedRows === 1;
  }

  async release(id: string, { component, replica }: PlacementKey): Promise<void> {
    await this.pool.run(
      'UPDATE placements SET supervisor=NULL, observed=NULL, observed_at=NULL ' +
        `WHERE component=${text(component)} AND replica=${integer(replica)} AND supervisor=${hex(id)}`,
    );
  }

  async observe(
    id: string,
    observed: readonly (PlacementKey & { readonly observed: ObservedWorker })[],
  ): Promise<void> {
    if (observed.length === 0) return;
    const cases = observed.map(
      (one) =>
        `WHEN component=${text(one.component)} AND replica=${integer(one.replica)} THEN ${text(JSON.stringify(one.observed))}`,
    );
    const keys = list(observed, (one) => `(${text(one.component)}, ${integer(one.replica)})`);
    await this.pool.run(
      `UPDATE placements SET observed=CASE ${cases.join(' ')} END, observed_at=${NOW_MS} ` +
        `WHERE supervisor=${hex(id)} AND (component, replica) IN ${keys}`,
    );
  }

  async leave(id: string): Promise<void> {
    await this.pool.transaction(async (sql) => {
      await sql.run(
        `UPDATE supervisors SET left_at=${NOW_MS}, lease_until=LEAST(lease_until, ${NOW_MS}) WHERE id=${hex(id)}`,
      );
      await sql.run(
        `UPDATE placements SET supervisor=NULL, observed=NULL, observed_at=NULL WHERE supervisor=${hex(id)}`,
      );
    });
  }

  private async renew(sql: Sql, { id, host, pid, version }: SupervisorIdentity, leaseMs: number): Promise<void> {
    const until = `${NOW_MS} + ${integer(leaseMs)}`;
    const { affectedRows } = await sql.run(
      `UPDATE supervisors SET lease_until=${until} WHERE id=${hex(id)} AND pid=${integer(pid)} AND left_at IS NULL`,
    );
    if (affectedRows === 1) return;
    const name = text(host.slice(0, MAX_HOST_CHARACTERS));
    await sql.run(
      'INSERT INTO supervisors (id, host, pid, version, started_at, lease_until) VALUES ' +
        `(${hex(id)}, ${name}, ${integer(pid)}, ${text(version)}, ${NOW_MS}, ${until}) ON DUPLICATE KEY UPDATE ` +
        `host=VALUES(host), pid=VALUES(pid), version=VALUES(version), started_at=VALUES(started_at), ` +
        'lease_until=VALUES(lease_until), left_at=NULL',
    );
    await sql.run(`DELETE FROM supervisors WHERE lease_until < ${NOW_MS} - ${KEPT_MS}`);
  }
}

function counted(partitions: string | null): Record<string, number> {
  if (partitions === null) return {};
  const owned = JSON.parse(partitions) as Record<string, readonly number[]>;
  return Object.fromEntries(Object.entries(owned).map(([component, numbers]) => [component, numbers.length]));
}
