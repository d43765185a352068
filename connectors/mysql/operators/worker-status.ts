import { NOW_MS } from '../sql/literals';
import type { Pool } from '../sql/pool';

export interface WorkerStatus {
  readonly session: string;
  readonly components: readonly string[];
  readonly host: string;
  readonly pid: number;
  readonly version: string;
  /** The release it runs, the placement it fills and the supervisor that started it; null when a person started it. */
  readonly release: number | null;
  readonly replica: number | null;
  readonly supervisor: string | null;
  readonly statusUrl: string | null;
  readonly startedAt: number;
  readonly leaseUntil: number;
  /** `late`: its lease has run out, and no spout has marked it dead yet. */
  readonly state: 'alive' | 'late' | 'dead' | 'left';
  readonly partitions: Readonly<Record<string, readonly number[]>>;
  readonly gauges: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

const ENDED_WORKERS_SHOWN_MS = 3_600_000;

/** Workers that live, and those that ended within the last hour. */
export async function listWorkers(pool: Pool): Promise<WorkerStatus[]> {
  type Columns = [
    Buffer,
    string,
    string,
    number,
    string,
    number | null,
    number | null,
    Buffer | null,
    string | null,
    number,
    number,
    number,
    number | null,
    string | null,
    number,
  ];
  const rows = await pool.rows<Columns>(
    'SELECT session, components, host, pid, version, release_number, replica, supervisor, status_url, started_at, lease_until, dead, left_at, report, ' +
      `${NOW_MS} FROM workers WHERE lease_until > ${NOW_MS} - ${ENDED_WORKERS_SHOWN_MS} ORDER BY started_at, session`,
  );
  return rows.map((row) => {
    const [session, components, host, pid, version, release, replica, supervisor, ...others] = row;
    const [statusUrl, startedAt, leaseUntil, dead, leftAt, report, now] = others;
    const ended = leftAt === null ? 'dead' : 'left';
    return {
      session: session.toString('hex'),
      components: JSON.parse(components) as string[],
      host,
      pid,
      version,
      release,
      replica,
      supervisor: supervisor?.toString('hex') ?? null,
      statusUrl,
      startedAt,
      leaseUntil,
      state: dead === 1 ? ended : leaseUntil < now ? 'late' : 'alive',
      partitions: {},
      gauges: {},
      ...(report === null ? {} : (JSON.parse(report) as Pick<WorkerStatus, 'partitions' | 'gauges'>)),
    };
  });
}
