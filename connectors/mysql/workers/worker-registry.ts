import type { Clock } from '../../../topology/core/clock';
import { reasonOf, Unavailable } from '../../../topology/core/errors';
import type { Pulse, WorkerIdentity, WorkerRegistry, WorkerReport } from '../../../topology/runtime/worker-registry';
import { isDenied, isSchemaError } from '../sql/failures';
import { hex, integer, NOW_MICROSECONDS, NOW_MS, text } from '../sql/literals';
import type { Pool } from '../sql/pool';
import type { DeploymentIdentity } from './deployment';

/** The rows of sessions that ended longer ago are deleted. That changes nothing: an unknown session counts as dead. */
const KEPT_MS = 7 * 24 * 3_600_000;
const MAX_HOST_CHARACTERS = 255;
/** The command whose pauses only stop what is emitted: see operators/own-pause.ts. */
const DEPLOY = 'deploy';
/** Gates that are read at once, those first that are longest. Of what is left out spouts emit, and bolts put it aside. */
const MAX_GATES = 20_000;
/** Until limits are asked for again, after their table was missing or might not be read. */
const LIMITS_AGAIN_MS = 30_000;

type FoundColumns = readonly [
  kind: 'pause' | 'limit' | 'elsewhere',
  channel: string,
  account: string,
  command: string,
  gateUntil: number,
  heldUntil: number,
];

/** The workers' register: the table `workers`. Death is for ever: nothing sets `dead` back to 0. */
export class MySqlWorkerRegistry implements WorkerRegistry {
  private limitsAgainAt = Number.NEGATIVE_INFINITY;

  /** @param joined of which deployment the database was when the worker began; undefined while that is not known */
  constructor(
    private readonly pool: Pool,
    private readonly clock: Pick<Clock, 'monotonic'>,
    private readonly joined: () => DeploymentIdentity | undefined = () => undefined,
  ) {}

  async register(worker: WorkerIdentity, leaseMs: number): Promise<void> {
    const until = `${NOW_MS} + ${integer(leaseMs)}`;
    await this.pool.run(
      'INSERT INTO workers (session, components, host, pid, version, release_number, replica, supervisor, status_url, started_at, lease_until) VALUES ' +
        `(${hex(worker.session)}, ${text(JSON.stringify(worker.components))}, ${text(worker.host.slice(0, MAX_HOST_CHARACTERS))}, ` +
        `${integer(worker.pid)}, ${text(worker.version)}, ${placeOf(worker)}, ${text(worker.statusUrl)}, ${NOW_MS}, ${until}) ` +
        `ON DUPLICATE KEY UPDATE lease_until=IF(dead=0, ${until}, lease_until)`,
    );
    await this.pool.run(`DELETE FROM workers WHERE lease_until < ${NOW_MS} - ${KEPT_MS}`);
  }

  async renew(session: string, leaseMs: number, report: WorkerReport): Promise<boolean> {
    const { affectedRows } = await this.pool.run(
      `UPDATE workers SET lease_until=${NOW_MS} + ${integer(leaseMs)}, report=${text(JSON.stringify(report))} ` +
        `WHERE session=${hex(session)} AND dead=0`,
    );
    return affectedRows === 1;
  }

  async leave(session: string): Promise<void> {
    await this.pool.run(
      `UPDATE workers SET dead=1, left_at=${NOW_MS}, lease_until=LEAST(lease_until, ${NOW_MS}) WHERE session=${hex(session)}`,
    );
  }

  async pulse(): Promise<Pulse> {
    const withLimits = this.clock.monotonic() >= this.limitsAgainAt;
    try {
      return await this.read(withLimits);
    } catch (error) {
      if (!withLimits || !(isDenied(error) || isSchemaError(error))) throw error;
      // A worker may be newer than the schema or its own rights. If another table is to blame this fails too.
      const pulse = await this.read(false);
      this.limitsAgainAt = this.clock.monotonic() + LIMITS_AGAIN_MS;
      const why = `nobody is known to be at a limit, because account_limits cannot be read: ${reasonOf(error)}`;
      return { ...pulse, limitsUnread: new Unavailable(why, { cause: error }) };
    }
  }

  private read(withLimits: boolean): Promise<Pulse> {
    return this.pool.use(async (sql) => {
      const sent = this.clock.monotonic();
      const [reading] = await sql.rows<[number, string]>(`SELECT ${NOW_MICROSECONDS}, @@server_uuid`);
      const received = this.clock.monotonic();
      const [microseconds, server] = reading as [number, string];
      // One statement: each worker asks once a second.
      const gates =
        " UNION ALL (SELECT 'limit', channel, account, '', gate_until, held_until FROM account_limits FORCE INDEX (by_gate) " +
        `WHERE gate_until > ${NOW_MS} ORDER BY gate_until DESC LIMIT ${MAX_GATES})`;
      const found = await sql.rows<FoundColumns>(
        `SELECT 'pause', channel, account, command, 0, 0 FROM pauses WHERE until_at IS NULL OR until_at > ${NOW_MS}` +
          ` UNION ALL SELECT 'elsewhere', '', '', '', 0, 0 FROM deployment WHERE ${isOther(this.joined())}` +
          (withLimits ? gates : ''),
      );
      const pauses = found.flatMap(([kind, ...pause]) => (kind === 'pause' ? [pause] : []));
      const limited = found.flatMap(([kind, channel, account, , gateUntil, heldUntil]) =>
        kind === 'limit' ? [{ channel, account, gateUntil, heldUntil }] : [],
      );
      return {
        reading: { timestamp: microseconds / 1000, sent, received, server },
        belongsElsewhere: found.some(([kind]) => kind === 'elsewhere'),
        deactivated: pauses.some(([channel]) => channel === ''),
        pausedChannels: pauses
          .filter(([channel, account, command]) => channel !== '' && account === '' && command !== DEPLOY)
          .map(([channel]) => channel),
        emissionPausedChannels: pauses.filter(([, , command]) => command === DEPLOY).map(([channel]) => channel),
        pausedAccounts: pauses
          .filter(([, account]) => account !== '')
          .map(([channel, account]) => ({ channel, account })),
        limited,
      };
    });
  }
}

/** Of the row of `deployment`. Case counts in what names a Kafka. */
function isOther(joined: DeploymentIdentity | undefined): string {
  if (joined === undefined) return 'FALSE';
  const { id, kafkaCluster, namespace } = joined;
  return `NOT (id=${hex(id)} AND ${isSame('kafka_cluster', kafkaCluster)} AND ${isSame('namespace', namespace)})`;
}

function isSame(column: string, value: string | null): string {
  return `${column} COLLATE utf8mb4_0900_bin <=> ${value === null ? 'NULL' : text(value)}`;
}

function placeOf({ place }: WorkerIdentity): string {
  const supervisor = place?.supervisor === undefined ? 'NULL' : hex(place.supervisor);
  return `${optional(place?.releaseNumber)}, ${optional(place?.replica)}, ${supervisor}`;
}

function optional(value: number | undefined): string {
  return value === undefined ? 'NULL' : integer(value);
}
